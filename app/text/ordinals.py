"""Ordinal numbers with a full stop (`im 19. Jahrhundert`, `3. mai`), in the languages that write
them so. Pure."""

import re

# A word before the number that no number at the end of a sentence has before it.
_BEFORE = {
    "da": "den d. det til",
    "de": "im am der den dem das die des zum zur vom beim ab bis seit jeder jede jedes jeden",
    "fi": "joka",
    "no": "den det til",
}
# No noun: a sentence begins with it.
_BEGINS = {
    "da": "han hun det den de vi jeg der så men og i på",
    "de": (
        "er sie es wir ich ihr man das die der den dem ein eine danach dann heute gestern aber doch"
        " so da hier dort wenn weil als ob wer was wie wo warum dazu dafür deshalb"
    ),
    "no": "han hun det den de vi jeg der så men og i på",
}
_POSSESSIVE = {
    "de": r"(?:mein|dein|sein|ihr|unser|euer|eur)(?:e[mnrs]?)?|jede[mnrs]|diese[mnrs]?",
}
_MONTHS = {
    "da": "jan feb mar apr maj jun jul aug sep okt nov dec",
    "de": "jan jän feb mär apr mai jun jul aug sep okt nov dez",
    "fi": "tammi helmi maalis huhti touko kesä heinä elo syys loka marras joulu",
    "no": "jan feb mar apr mai jun jul aug sep okt nov des",
}
_MONTH_ENDS = {"fi": "kuu(?:ta|n|ssa)?"}
_MONTH_END = "(?:uar|ruar|z|ts|s|il|i|ust|t|tember|ember|ober)?"  # written out, or short
_CHAINED = r"(?<!\S)\d{1,2}\.\s(?:und|oder|bis|og|eller|ja|tai)\s\d{1,2}\.$"
MAX_CHARS = 40  # of what stands before, as far as it counts


def _before(language: str) -> re.Pattern[str]:
    words = "|".join(map(re.escape, _BEFORE[language].split()))
    words += f"|{_POSSESSIVE[language]}" if language in _POSSESSIVE else ""
    return re.compile(rf"(?<!\S)(?:{words})\s\d{{1,2}}\.$|{_CHAINED}", re.IGNORECASE)


def _month(language: str) -> re.Pattern[str]:
    words = "|".join(_MONTHS[language].split())
    end = _MONTH_ENDS.get(language, _MONTH_END)
    return re.compile(rf"(?:{words}){end}\b", re.IGNORECASE)


_BEFORES = {language: _before(language) for language in _BEFORE}
_MONTH_AFTERS = {language: _month(language) for language in _MONTHS}
_NUMBER = re.compile(r"(?<!\S)\d{1,2}\.$")
_SMALL_AFTER = ("da", "fi", "no", "pl", "tr")  # an ordinal where a small letter follows
_ROMAN_BEFORE = {"tr": re.compile(r"(?<!\S)(?=[IVX]{2})[IVX]+\.$")}  # II. Mehmed


def is_ordinal(before: str, after: str, language: str) -> bool:
    """Whether `before`, which ends with a full stop, ends with an ordinal number whose noun is in
    `after`."""
    words = before[-MAX_CHARS:]
    if language in _ROMAN_BEFORE and _ROMAN_BEFORE[language].search(words):
        return True
    if _NUMBER.search(words) is None:
        return False
    if language in _SMALL_AFTER and after[:1].islower():
        return True
    if language not in _BEFORES:
        return False
    is_dated = _MONTH_AFTERS[language].match(after) is not None
    begins = re.match(r"\w*", after.lower())
    if begins is not None and begins[0] in _BEGINS.get(language, "").split():
        return False
    return is_dated or _BEFORES[language].search(words) is not None
