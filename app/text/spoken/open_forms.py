"""Where an unfinished written form at the end of a growing text begins.

Text that arrives in pieces ends anywhere: `$5.3 bil`, `Nov. 2`, `9:30 P`, `206-555-`. What stands
there is decided once the next word is complete. Knows nothing about takes or segments.
"""
# ruff: noqa: RUF001

import re
from functools import cache, lru_cache

from app.text.spoken.forms import replacements

MAX_CHARS = 80  # a longer run of numbers is no form that could still change

# A word of a form: it has a digit or a mark, or it is an abbreviation that a number may follow.
_STRONG = r"\S*[\d$€£¥₹@#+=×*/°%&]\S*|[-\N{EN DASH}\N{MINUS SIGN}x<>≤≥≈~]|[^\W\d_]{1,6}\."
_STRONG += r"|(?=[IVX]{2}|[VX](?!\w))[IVX]+(?:e|[.,])?"  # Roman numerals
_MONTHS = {
    "en": "January|February|March|April|May|June|July|August|September|October|November|December|"
    "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|Mon|Tues?|Wed|Thu(?:rs)?|Fri|Sat|Sun|USD|EUR|"
    "GBP|Chapter|Part|Section|War",
}
# Words that belong to a form beside a number alone.
_WEAK = {
    "en": "the|of|and|million|billion|trillion|thousand|hundred|a|p|am|pm",
    "de": "am|der|den|dem|vom|zum|und|bis|Uhr|Millionen|Milliarden|Januar|Februar|März|April|Mai|"
    "Juni|Juli|August|September|Oktober|November|Dezember",
    "es": "de|del|a|p|m|las|la|y|millones|mil|enero|febrero|marzo|abril|mayo|junio|julio|agosto|"
    "septiembre|octubre|noviembre|diciembre",
    "fr": "h|le|de|millions?|milliards?|janvier|février|mars|avril|mai|juin|juillet|août|"
    "septembre|octobre|novembre|décembre",
    "sv": "kl|den|januari|februari|mars|april|maj|juni|juli|augusti|september|oktober|november|"
    "december",
}
_UNSPACED = re.compile(
    r"[-¥$€£+]?\d[\d.,:/%~〜-]*(?:[年月日号时時分秒点點万萬億亿元円个個][\d.,:/%~〜-]*)*$"
)


@cache
def _open_form(language: str) -> re.Pattern[str]:
    """One or more words of a form, then the word that is not complete yet."""
    strong = rf"(?:{_STRONG}|(?:{_MONTHS.get(language, '(?!)')})\.?,?)"
    weak = rf"(?i:{_WEAK.get(language, '(?!)')}),?"
    weak_next = rf"(?<![^\W\d_]\.\s){weak}"  # "all. And then": a sentence begins
    chain = rf"(?<!\S)(?:{weak}\s+){{0,2}}{strong}(?:\s+(?:{weak_next}|{strong}))*"
    return re.compile(rf"{chain}\s+\S*$|{chain}$|(?<!\S)\S*(?:://|www\.)\S*$")


def open_form_at(text: str, language: str) -> int | None:
    """The index of its first character; None where the text ends in no form."""
    start = max(0, len(text) - MAX_CHARS)
    tail = text[start:]
    if language in ("zh", "ja"):
        found = _UNSPACED.search(tail)
    else:
        found = _open_form(language).search(tail)
    return start + found.start() if found else None


_WORD = re.compile(r"\S+")
_NUM_NAMING = 3  # words
_CENTURIES = {"fr": "XVIIe siècle", "pl": "XX wieku", "ru": "XIX в."}
_PROBES = ("4821", "911", "12A", "V", "3/4", "9.30", "2026-11-24", "'90s")


def naming_words_at(text: str, language: str) -> int:
    """Where the words at the end of `text` begin that decide how a number behind them is said, such
    as `PIN code:`; the length of the text where none does. Asks the rules of the language."""
    words = list(_WORD.finditer(text, max(0, len(text) - MAX_CHARS)))[-_NUM_NAMING:]
    if not words or language in ("zh", "ja"):
        return len(text)
    starts = [*(word.start() for word in words), len(text)]
    century = _CENTURIES.get(language)
    for probe in (*_PROBES, *((century,) if century else ())):
        said = _said_behind(text[starts[0] :], probe, language)
        while len(starts) > 1 and _said_behind(text[starts[-1] :], probe, language) != said:
            starts.pop()
    return starts[-1]


@lru_cache(1024)
def _said_behind(words: str, number: str, language: str) -> tuple[tuple[int, int, str], ...]:
    """What is said for the number, with places from its end."""
    text = f"{words.rstrip()} {number}".lstrip()
    at = len(text)
    found = replacements(text, language)
    return tuple(
        (each.start - at, each.end - at, each.say) for each in found if each.end > at - len(number)
    )
