"""Hindi. Digits may be Devanagari or European."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.words import Words
from app.text.spoken.icu import month_name
from app.text.spoken.numbers import cardinal, ordinal
from app.text.spoken.rules import Rule, rule


def _date(day: int, month: int, year: int | None, before: str) -> str:
    said = f"{cardinal(day, 'hi')} {month_name(month, 'hi')}"
    return f"{said} {_year(year)}" if year else said


def _year(number: int) -> str:
    """Up to 1999 in hundreds: उन्नीस सौ निन्यानवे."""
    hundreds, rest = divmod(number, 100)
    if 11 <= hundreds <= 19:
        said = f"{cardinal(hundreds, 'hi')} सौ"
        return f"{said} {cardinal(rest, 'hi')}" if rest else said
    return cardinal(number, "hi")


def _time(hour: int, minute: int, second: int | None) -> str:
    said = cardinal(hour, "hi")
    return f"{said} बजकर {cardinal(minute, 'hi')} मिनट" if minute else f"{said} बजे"


def _say_ordinal(match: re.Match[str]) -> str:
    is_feminine = match["ending"] in ("वीं", "ली", "री", "थी")
    return ordinal(int(match["number"]), "hi", "-feminine" if is_feminine else "")


RULES: tuple[Rule, ...] = (
    rule(
        r"(?<![\w.,])(?P<number>\d{1,4})(?P<ending>वां|वाँ|वीं|वें|ला|ली|रा|री|था|थी|ठा)(?!\w)",
        _say_ordinal,
    ),
)
WORDS = Words(
    language="hi",
    decimal=".",
    groups=",",
    point="दशमलव",
    minus="ऋण",
    degrees="डिग्री",
    to="से",
    by="गुणा",
    times="गुना",
    over="बटा",
    signs={"+": "धन", "-": "ऋण", "\N{MINUS SIGN}": "ऋण", "*": "गुणा", "×": "गुणा", "x": "गुणा",
           "/": "भाग", "÷": "भाग", "=": "बराबर", "<": "से कम", ">": "से अधिक"},
    marks={"&": "और", "%": "प्रतिशत", "+": "धन", "=": "बराबर", "@": "एट", "#": "हैश", "₹": "रुपये",
           "$": "डॉलर", "€": "यूरो", "°": "डिग्री", "©": "", "™": "", "®": "", "№": "नंबर"},
    address={".": "डॉट", "@": "एट", "/": "स्लैश", "-": "डैश", "_": "अंडरस्कोर", "?": "प्रश्न चिह्न",
             "=": "बराबर", "&": "और", "#": "हैश", ":": "कोलन", "+": "प्लस"},
    abbreviations={"डॉ.": "डॉक्टर", "डा.": "डॉक्टर", "श्री.": "श्री", "प्रो.": "प्रोफ़ेसर",
                   "रु.": "रुपये",
                   "कि.मी.": "किलोमीटर", "कि.ग्रा.": "किलोग्राम", "सं.": "संख्या", "पृ.": "पृष्ठ",
                   "ई.": "ईस्वी", "स्व.": "स्वर्गीय", "पं.": "पंडित"},
    numbered={"नं.": "नंबर", "सं.": "संख्या", "पृ.": "पृष्ठ", "#": "नंबर"},
    scales={"लाख": ("लाख", "लाख"), "करोड़": ("करोड़", "करोड़"), "हज़ार": ("हज़ार", "हज़ार"),
            "हजार": ("हजार", "हजार"),
            "अरब": ("अरब", "अरब"), "मिलियन": ("मिलियन", "मिलियन")},
    cents={"INR": ("पैसा", "पैसे"), "USD": ("सेंट", "सेंट"), "EUR": ("सेंट", "सेंट")},
    fractions={"1/2": "आधा", "1/4": "एक चौथाई", "3/4": "तीन चौथाई", "1/3": "एक तिहाई",
               "2/3": "दो तिहाई",
               "½": "आधा", "¼": "एक चौथाई", "¾": "तीन चौथाई"},
    date=_date,
    time=_time,
    year=_year,
)  # fmt: skip
