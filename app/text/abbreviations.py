"""Abbreviations whose full stop ends no sentence, beside those that the sentence library knows.

Written without their last full stop, in lower case. Pure.
"""
# ruff: noqa: RUF001, RUF003

import re
from functools import cache

# A name or a number follows, so the next word says nothing.
TITLES = {
    "ar": "د أ م ص ق هـ",
    "de": "hr fr dr prof st",
    "el": "κ κα δρ αρ σελ τηλ",
    "en": (
        "mr mrs ms dr prof rev gen sen gov capt lt col sgt hon st mt ft vol ch fig figs eq eqs pp"
        " ext"
    ),
    "es": "d dña sr sra srta dr dra prof ud uds av avda núm nº pág tel art",
    "fi": "tri nro klo",
    "fr": "m mm mme mlle dr pr me mgr av",
    "he": "עמ מס רח פרופ",
    "hi": "डॉ डा श्री सु कु प्रो पं मो",
    "it": "sig sig.ra sigg dott dott.ssa prof ing avv on n pag art tel",
    "ms": "en pn tn cik dr prof hj hjh dato jln no tel",
    "nl": "dhr mevr mr dr drs ir prof st nr blz",
    "no": "hr fr dr prof kl nr s",
    "pl": "dr prof mgr inż ks ul nr str godz im al pl r",
    "pt": "sr sra srta dr dra prof av r pág n núm tel art",
    "ru": "им ул д г р стр гл проф акад тов гр см рис табл тел",
    "sv": "hr fr dr prof kl nr s",
    "sw": "bw bi dkt prof mhe uk na",
    "tr": "sn dr prof av sok cad no s yy",
}
# Ends no sentence where a small letter or a digit follows.
OTHERS = {
    "da": "f.eks bl.a ca osv dvs m.m kl nr kap fig",
    "de": "abb abs bd kap tab ziff ca bzw usw evtl ggf inkl max min vgl sog z.b d.h u.a v",
    "el": "π.χ κ.λπ κ.ά μ.μ π.μ δηλ",
    "en": (
        "approx vs etc est no dept inc ltd max min incl excl cf al ca tel apt art sec jr sr hr hrs"
        " in lb lbs oz yd p viz op"
        " jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat"
        " sun a.m p.m e.g i.e"
    ),
    "es": "aprox p.ej a.m p.m etc ej máx mín ee.uu",
    "fi": "esim jne ym mm n ts s eaa",
    "fr": "p.ex env etc cf j av ap apr vol p tél art",
    "it": "ecc ca es pagg a.c d.c max min",
    "ms": "dll dsb sb",
    "nl": "bijv enz o.a d.w.z t.o.v i.v.m ca m.b.t e.d t/m",
    "no": "f.eks bl.a ca osv dvs m.m jf kap fig",
    "pl": "np itd itp m.in tzn tj ok w tys mln mld jw tzw",
    "pt": "p.ex ex aprox etc séc máx mín",
    "ru": "т.е т.д т.п т др напр млн млрд тыс руб коп кв мин сек ч н э в вв гг",
    "sv": "kap fig sid tab t.ex bl.a ca osv dvs m.m s.k f.d t.o.m fr.o.m resp",
    "sw": "k.m n.k k.v",
    "tr": "vb vs örn bkz yak m.ö m.s",
}

MAX_CHARS = 24  # of an abbreviation with all its letters


@cache
def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, words.split()))})$", re.IGNORECASE)


_LETTERED = re.compile(  # т. е, p. m, f.eks
    r"(?<![^\W_])(?:[^\W\d_]{1,3}\.\s?)*[^\W\d_]$|(?<![^\W_])(?:[^\W\d_]{1,4}\.)+[^\W\d_]{1,4}$"
)
_STARTS_LETTERED = re.compile(r"[^\W\d_]\.")


def is_abbreviated(before: str, after: str, language: str) -> bool:
    """Whether no sentence ends between `before`, which ends with a full stop, and `after`."""
    words = before.rstrip()[-MAX_CHARS:].removesuffix(".")
    after = after.lstrip("\"'(“‘ ")
    if language in TITLES and _pattern(TITLES[language]).search(words):
        return True
    goes_on = after[:1].islower() or after[:1].isdigit()
    if goes_on and language in OTHERS and _pattern(OTHERS[language]).search(words):
        return True
    is_letter = _LETTERED.search(words) is not None
    return is_letter and (goes_on or _STARTS_LETTERED.match(after) is not None)
