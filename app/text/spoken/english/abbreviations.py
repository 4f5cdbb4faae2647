"""Abbreviations in English: Dr., approx., e.g., St., No. 5, vs., w/o.

The point of an abbreviation at the end of a sentence stays.
"""
# ruff: noqa: RUF001

import re

from app.text.spoken.rules import Rule, rule

_WORDS = {
    "approx.": "approximately", "vs.": "versus", "vs": "versus", "e.g.": "for example",
    "eg.": "for example", "i.e.": "that is", "ie.": "that is", "etc.": "et cetera",
    "cf.": "compare",
    "viz.": "namely", "al.": "al", "ca.": "circa", "a.k.a.": "A K A", "aka": "A K A",
    "dept.": "department", "Dept.": "Department", "est.": "established", "Est.": "Established",
    "govt.": "government", "Govt.": "Government", "Inc.": "Incorporated", "Ltd.": "Limited",
    "Corp.": "Corporation", "Co.": "Company", "Bros.": "Brothers", "misc.": "miscellaneous",
    "incl.": "including",
    "excl.": "excluding", "min.": "minimum", "max.": "maximum", "avg.": "average",
    "tel.": "telephone",
    "Tel.": "Telephone", "ext.": "extension", "temp.": "temperature", "assoc.": "association",
    "hr.": "hour", "hrs.": "hours", "mins.": "minutes", "secs.": "seconds", "yrs.": "years",
    "ft.": "feet", "lbs.": "pounds", "oz.": "ounces", "tbsp.": "tablespoons", "tsp.": "teaspoons",
    "w/o": "without", "w/": "with", "b/c": "because", "Blvd.": "Boulevard", "Ave.": "Avenue",
    "Rd.": "Road", "Hwy.": "Highway", "Mt.": "Mount", "Ft.": "Fort", "Jr.": "Junior",
    "Sr.": "Senior", "Esq.": "Esquire", "Ph.D.": "P H D", "Ph.D": "P H D", "PhD": "P H D",
    "M.D.": "M D", "Nos.": "numbers", "wt.": "weight", "qty.": "quantity", "vol.": "volume",
    "mos.": "months", "intl.": "international", "tech.": "technology", "orig.": "original",
}  # fmt: skip
_TITLES = {
    "Dr.": "Doctor", "Mr.": "Mister", "Mrs.": "Missus", "Ms.": "Miz", "Prof.": "Professor",
    "Rev.": "Reverend", "Hon.": "Honorable", "Gov.": "Governor", "Sen.": "Senator",
    "Rep.": "Representative", "Pres.": "President", "Gen.": "General", "Col.": "Colonel",
    "Maj.": "Major", "Capt.": "Captain", "Cpt.": "Captain", "Lt.": "Lieutenant",
    "Sgt.": "Sergeant", "Cpl.": "Corporal", "Cmdr.": "Commander", "Adm.": "Admiral",
    "Messrs.": "Messieurs", "Supt.": "Superintendent", "Fr.": "Father", "Dr": "Doctor",
    "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor", "St.": "Saint",
    "Mt.": "Mount", "Ft.": "Fort",
}  # fmt: skip
NUMBERED = {
    "No.": "number", "no.": "number", "Nos.": "numbers", "nos.": "numbers", "Nr.": "number",
    "p.": "page", "pp.": "pages", "Vol.": "volume", "vol.": "volume", "Fig.": "figure",
    "fig.": "figure", "Figs.": "figures", "figs.": "figures", "Ch.": "chapter", "ch.": "chapter",
    "Sec.": "section", "sec.": "section", "Art.": "article", "art.": "article", "Eq.": "equation",
    "eq.": "equation", "Ex.": "exercise", "ex.": "example", "Tab.": "table", "App.": "appendix",
    "Pt.": "part", "pt.": "part", "par.": "paragraph", "ca.": "circa", "c.": "circa",
    "Apt.": "apartment", "Rm.": "room", "v.": "version", "ver.": "version", "lv.": "level",
    "lvl.": "level", "vers.": "version", "Ext.": "extension", "ext.": "extension",
}  # fmt: skip
_STREETS = {"St.": "Street", "Dr.": "Drive", "Ln.": "Lane", "Pl.": "Place", "Ct.": "Court",
            "Sq.": "Square", "Pkwy.": "Parkway", "St": "Street"}  # fmt: skip
_NEW_SENTENCE = re.compile(r"\s*$|\s+[\"'“(]?[A-Z](?![A-Z]\b)")

# A capital begins the name behind U.S. or J. R. R. as often as a sentence.
_FIRST_WORDS = (
    "I|It|The|He|She|We|They|You|This|That|These|Those|There|Here|But|And|Or|So|In|On|At|As|An?|My|"
    "His|Her|Its|Our|Their|Your|If|When|What|Who|Where|Why|How|Then|Now|After|Before|While|Since|"
    "For|From|With|To|By|No|Yes|Not|Let|Please|Some|Many|Most|All|Each|Every|Both|One|Two|Today|"
    "However|Meanwhile|Still|Also|Because|Although|Is|Are|Was|Do|Does|Did|Can|Will|Would|Thanks"
)
_SURE_SENTENCE = re.compile(rf"\s*$|\s*\n|\s+[\"'“(]?(?:{_FIRST_WORDS})\b")
_MAY_STAND_BEFORE_NAMES = ("Sr.", "Jr.")


def _alternatives(table: dict[str, str]) -> str:
    return "|".join(re.escape(short) for short in sorted(table, key=len, reverse=True))


def with_end(words: str, match: re.Match[str], group: str | int = 0) -> str:
    """The words, and the point where the abbreviation is the last word of a sentence."""
    return _with_end(words, match, group, _NEW_SENTENCE)


def _with_end(
    words: str, match: re.Match[str], group: str | int, new_sentence: re.Pattern[str]
) -> str:
    is_last = match[group].endswith(".") and new_sentence.match(match.string, match.end(group))
    return f"{words}." if is_last else words


def _say_word(match: re.Match[str]) -> str:
    is_sure = match[0] in _MAY_STAND_BEFORE_NAMES
    return _with_end(_WORDS[match[0]], match, 0, _SURE_SENTENCE if is_sure else _NEW_SENTENCE)


def _say_title(match: re.Match[str]) -> str:
    return _TITLES[match[0]]


def _say_numbered(match: re.Match[str]) -> str:
    is_glued = not match.string[match.end()].isspace()  # p.5
    return NUMBERED[match[0]] + (" " if is_glued else "")


def _say_street(match: re.Match[str]) -> str:
    return with_end(_STREETS[match["form"]], match, "form")


def _say_letters(match: re.Match[str]) -> str:
    letters = " ".join(char.upper() for char in match[0] if char.isalpha())
    return _with_end(letters, match, 0, _SURE_SENTENCE)


RULES: tuple[Rule, ...] = (
    rule(rf"\b(?:{_alternatives(NUMBERED)})(?=\s?\#?[\d\0])", _say_numbered),
    # 12 Main St., behind a number and a name
    rule(
        rf"""(?:[\d\0]|\d(?:st|nd|rd|th))\s(?:[NSEW]\.?\s)?(?:[A-Z][a-z]+\s){{1,2}}
        (?P<form>{_alternatives(_STREETS)})(?!\w)""",
        _say_street,
    ),
    rule(r"\b[A-Z][a-z'’]+\s(?P<form>St\.|Ln\.)(?=\s?(?:$|[,;)]|[a-z]))", _say_street),
    rule(rf"\b(?:{_alternatives(_TITLES)})(?=\s[A-Z])", _say_title),
    rule(rf"(?<![\w.])(?:{_alternatives(_WORDS)})(?![\w])", _say_word),
    rule(r"(?<![\w.])(?:[A-Za-z]\.){2,}(?:[A-Za-z](?!\w))?(?!\w)", _say_letters),
)
