"""Arabic. The gender and the case of a number beside a noun are not known."""
# ruff: noqa: RUF001

from app.text.spoken.general.words import Words
from app.text.spoken.icu import month_name
from app.text.spoken.numbers import cardinal
from app.text.spoken.rules import Rule


def _date(day: int, month: int, year: int | None, before: str) -> str:
    said = f"{cardinal(day, 'ar')} {month_name(month, 'ar')}"
    return f"{said} {cardinal(year, 'ar')}" if year else said


_HOURS = (
    "", "الواحدة", "الثانية", "الثالثة", "الرابعة", "الخامسة", "السادسة", "السابعة", "الثامنة",
    "التاسعة", "العاشرة", "الحادية عشرة", "الثانية عشرة",
)  # fmt: skip


def _time(hour: int, minute: int, second: int | None) -> str:
    hours = _HOURS[hour] if 0 < hour <= 12 else cardinal(hour, "ar")
    parts = {0: "", 15: " والربع", 30: " والنصف"}
    return hours + parts.get(minute, f" و{cardinal(minute, 'ar')} دقيقة")


RULES: tuple[Rule, ...] = ()
WORDS = Words(
    language="ar",
    decimal=".",
    groups=",٬",
    point="فاصل",
    minus="ناقص",
    percent="بالمئة",
    degrees="درجة",
    to="إلى",
    by="في",
    over="على",
    signs={"+": "زائد", "-": "ناقص", "\N{MINUS SIGN}": "ناقص", "*": "ضرب", "×": "ضرب", "x": "ضرب",
           "/": "على", "÷": "على", "=": "يساوي", "<": "أصغر من", ">": "أكبر من"},
    marks={"&": "و", "%": "بالمئة", "٪": "بالمئة", "+": "زائد", "=": "يساوي", "@": "آت",
           "#": "هاشتاغ",
           "$": "دولار", "€": "يورو", "°": "درجة", "©": "", "™": "", "®": "", "№": "رقم"},
    address={".": "دوت", "@": "آت", "/": "سلاش", "-": "شرطة", "_": "شرطة سفلية",
             "?": "علامة استفهام",
             "=": "يساوي", "&": "و", "#": "هاشتاغ", ":": "نقطتان", "+": "زائد"},
    abbreviations={"د.": "دكتور", "أ.د.": "أستاذ دكتور", "م.": "مهندس", "أ.": "أستاذ",
                   "ص.": "صفحة", "إلخ.": "إلى آخره",
                   "ق.م.": "قبل الميلاد", "هـ": "هجري"},
    numbered={"رقم.": "رقم", "ص.": "صفحة", "ص": "صفحة", "#": "رقم"},
    scales={"مليون": ("مليون", "مليون"), "مليار": ("مليار", "مليار"), "ألف": ("ألف", "ألف"),
            "ملايين": ("ملايين", "ملايين")},
    fractions={"1/2": "نصف", "1/3": "ثلث", "2/3": "ثلثان", "1/4": "ربع", "3/4": "ثلاثة أرباع",
               "½": "نصف",
               "¼": "ربع", "¾": "ثلاثة أرباع"},
    date=_date,
    time=_time,
)  # fmt: skip
