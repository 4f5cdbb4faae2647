"""Roman numerals in English: behind the name of a ruler an ordinal, behind other names a number."""
# ruff: noqa: RUF001

import re

from app.text.spoken.english.numbers import cardinal, ordinal
from app.text.spoken.roman import value_of
from app.text.spoken.rules import Rule, rule

_RULERS = (
    "Henry|Louis|Elizabeth|George|Edward|Richard|James|Charles|William|Philip|Philippe|Frederick|"
    "Friedrich|Wilhelm|Catherine|Mary|Alexander|Nicholas|Ivan|Peter|Pius|Paul|Benedict|Gregory|"
    "Leo|Francis|Urban|Innocent|Clement|Boniface|Julius|Adrian|Sixtus|Napoleon|Ramses|Ramesses|"
    "Ptolemy|Cleopatra|Darius|Xerxes|Artaxerxes|Mehmed|Murad|Selim|Suleiman|Otto|Rudolf|Ferdinand|"
    "Maximilian|Joseph|Leopold|Carl|Karl|Gustav|Gustaf|Christian|Haakon|Harald|Olaf|Margaret|"
    "Margrethe|Alfonso|Alphonse|Juan|Carlos|Isabella|Joan|Victor|Umberto|Albert|Baldwin|Robert|"
    "David|Kenneth|Stephen|John|Thutmose|Amenhotep|Antiochus|Theodosius|Constantine|"
    "Justinian|Michael|Basil|Sigismund|Casimir|Stanislaw|Augustus|Pedro|Manuel|Afonso|Willem|"
    "Wilhelmina|Beatrix|Baudouin|Norodom|Rama|Hassan|Mohammed|Abdullah|Hussein|Faisal|Amadeus|"
    "Celestine|Honorius|Eugene|Nicholas|Callixtus|Sergius|Stephen|Theodore|Valdemar|Eric|Erik|"
    "Canute|Cnut|Tutmosis|Seti|Sancho|Ramiro|Humbert|Amadeo|Cosimo"
)
_NUMBERED = (
    "World\\sWar|War|Chapter|Part|Act|Scene|Book|Volume|Vol\\.|Section|Article|Title|Class|Type|"
    "Phase|Stage|Level|Grade|Category|Apollo|Super\\sBowl|Final\\sFantasy|Episode|Mark|Factor|"
    "Appendix|Table|Figure|Unit|Division|Schedule|Amendment|Saturn|Canto|Psalm|Star\\sWars|"
    "Rocky|Rambo|Godfather|Olympiad|Vatican|Quake|Civilization|Diablo|Dragon\\sQuest|Round|Group|"
    "Tier|Schedule|Annex|Lesson|Track|Opus|Symphony\\sNo\\."
)
_ROMAN = r"(?=[IVXLC])(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"


def _say_ruler(match: re.Match[str]) -> str:
    return f"the {ordinal(value_of(match['form']))}"


def _say_number(match: re.Match[str]) -> str:
    return cardinal(value_of(match["form"]))


_END = r"(?![\w-]|\.\w|['’](?!s\b))"
RULES: tuple[Rule, ...] = (
    rule(rf"\b(?:{_RULERS})\s(?P<form>(?!I\b){_ROMAN}){_END}", _say_ruler),
    # I may be the speaker.
    rule(
        rf"""\b(?:{_RULERS})\s(?P<form>I)
        (?=\s(?:of|became|reigned|ruled|died|and\sII)\b|['’]s\b|[,.;:)])""",
        _say_ruler,
    ),
    rule(rf"\b(?:{_NUMBERED}|[A-Z]{{3,}})\s(?P<form>(?!I\b){_ROMAN}){_END}", _say_number),
    rule(
        r"""\b(?:World\sWar\s(?P<form>I)\b)""",
        _say_number,
    ),
    rule(
        rf"\b(?:{_NUMBERED})\s(?P<form>I)(?=\s*(?:$|[.,:;)!?])|\s(?:of|and|or|is|was|to|in)\b)",
        _say_number,
    ),
    # A numeral of two letters behind another name, which is no word and no initials.
    rule(rf"\b[A-Z][a-z]+\s(?P<form>(?=[IVX]{{2}}){_ROMAN}){_END}", _say_number),
)
