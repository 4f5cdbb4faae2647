"""Russian. The case of a number beside a noun is not known: it stays in the nominative."""
# ruff: noqa: RUF001

import re

from app.text.spoken.general.words import Words
from app.text.spoken.icu import month_name
from app.text.spoken.numbers import cardinal, ordinal
from app.text.spoken.roman import ROMAN, value_of
from app.text.spoken.rules import Rule, rule

_GENITIVE, _PREPOSITIONAL = "-masculine-genitive", "-masculine-prepositional"


def _date(day: int, month: int, year: int | None, before: str) -> str:
    said = f"{ordinal(day, 'ru', '-neuter')} {month_name(month, 'ru')}"
    return f"{said} {_year(year, _GENITIVE)} года" if year else said


def _time(hour: int, minute: int, second: int | None) -> str:
    if not minute:
        return f"{cardinal(hour, 'ru')} {_hours(hour)}"
    zero = "ноль " if minute < 10 else ""
    return f"{cardinal(hour, 'ru')} {zero}{cardinal(minute, 'ru', 'feminine')}"


def _hours(hour: int) -> str:
    if hour % 10 == 1 and hour != 11:
        return "час"
    return "часа" if hour % 10 in (2, 3, 4) and not 11 < hour < 15 else "часов"


def _year(number: int, form: str) -> str:
    """A thousand is not counted: тысяча девятьсот."""
    return ordinal(number, "ru", form).removeprefix("одна ")


def _say_in_year(match: re.Match[str]) -> str:
    return f"{_year(int(match['year']), _PREPOSITIONAL)} году"


def _say_of_year(match: re.Match[str]) -> str:
    return f"{_year(int(match['year']), _GENITIVE)} года"


def _say_year(match: re.Match[str]) -> str:
    return f"{_year(int(match['year']), '-masculine')} год"


_ENDINGS = {
    **dict.fromkeys(("й", "ый", "ий"), "-masculine"),
    **dict.fromkeys(("я", "ая"), "-feminine"),
    **dict.fromkeys(("е", "ое"), "-neuter"),
    **dict.fromkeys(("го", "ого"), "-masculine-genitive"),
    **dict.fromkeys(("му", "ому"), "-masculine-dative"),
    **dict.fromkeys(("м", "ом"), "-masculine-prepositional"),
    **dict.fromkeys(("ю", "ую"), "-feminine-accusative"),
}


def _say_ordinal(match: re.Match[str]) -> str:
    return ordinal(int(match["number"]), "ru", _ENDINGS[match["ending"]])


def _say_century(match: re.Match[str]) -> str:
    return ordinal(value_of(match["roman"]), "ru")


def _say_in_century(match: re.Match[str]) -> str:
    return f"{ordinal(value_of(match['roman']), 'ru', _PREPOSITIONAL)} веке"


def _say_of_century(match: re.Match[str]) -> str:
    return f"{ordinal(value_of(match['roman']), 'ru')} век"


def _say_decade(match: re.Match[str]) -> str:
    """A decade, in the nominative or in the cases that end alike."""
    form = "-plural" if match["ending"] == "е" else "-plural-genitive"
    return ordinal(int(match["decade"]), "ru", form).removeprefix("одна ")


def _say_about(match: re.Match[str]) -> str:
    """3-5 days: as it is spoken, since the words of a range ask for the genitive."""
    return f"{cardinal(int(match['low']), 'ru')}-{cardinal(int(match['high']), 'ru')}"


def _say_ruler(match: re.Match[str]) -> str:
    is_queen = match["name"] in ("Екатерина", "Елизавета", "Мария", "Анна")
    return ordinal(value_of(match["roman"]), "ru", "-feminine" if is_queen else "-masculine")


_YEAR = r"(?<![\w.,-])(?P<year>1\d{3}|20\d{2})\s?"
RULES: tuple[Rule, ...] = (
    rule(
        r"""(?<![\w.,:-])(?P<low>\d{1,3})\s?[-–]\s?(?P<high>\d{1,3})
        (?=\s[а-яё]{4})""",
        _say_about,
    ),
    rule(r"(?<![\w.,-])(?P<decade>(?:1\d|20)?\d0)-(?P<ending>е|х)(?!\w)", _say_decade),
    rule(rf"(?<=[вВ]\s){ROMAN}\s(?:веке\b|в\.)", _say_in_century),
    rule(rf"(?<!\w){ROMAN}\sв\.", _say_of_century),
    rule(rf"{_YEAR}(?:году|г\.?(?<=[вВ]\s\d{{4}}\sг\.)(?!\w))", _say_in_year),
    rule(rf"{_YEAR}года\b", _say_of_year),
    rule(rf"{_YEAR}год\b", _say_year),
    rule(rf"(?<![\w.,])(?P<number>\d{{1,4}})-(?P<ending>{'|'.join(_ENDINGS)})(?!\w)", _say_ordinal),
    rule(rf"(?<!\w){ROMAN}(?=\s(?:век|в\.))", _say_century),
    rule(
        rf"""\b(?P<name>Пётр|Петр|Николай|Александр|Иван|Павел|Екатерина|Елизавета|Людовик|Генрих
        |Карл|Анна|Мария)\s(?P<form>{ROMAN})(?!\w)""",
        _say_ruler,
    ),
)
WORDS = Words(
    language="ru",
    minus="минус",
    degrees="градусов",
    to="до",
    ratio="к",
    by="на",
    over="дробь",
    signs={"+": "плюс", "-": "минус", "\N{MINUS SIGN}": "минус", "*": "умножить на",
           "×": "умножить на",
           "·": "умножить на", "x": "умножить на", "/": "разделить на", ":": "разделить на",
           "÷": "разделить на", "=": "равно", "<": "меньше", ">": "больше", "≈": "примерно равно",
           "≠": "не равно", "±": "плюс минус"},
    marks={"&": "и", "§": "параграф", "%": "процентов", "+": "плюс", "=": "равно", "@": "собака",
           "#": "решётка", "€": "евро", "$": "долларов", "₽": "рублей", "°": "градусов",
           "№": "номер",
           "©": "копирайт", "™": "", "®": "", "→": "к", "~": "примерно"},
    address={".": "точка", "@": "собака", "/": "слэш", "-": "дефис", "_": "нижнее подчёркивание",
             "?": "вопросительный знак", "=": "равно", "&": "и", "#": "решётка", ":": "двоеточие",
             "+": "плюс", "%": "процент"},
    abbreviations={
        "т. е.": "то есть", "т.е.": "то есть", "т. д.": "так далее", "т.д.": "так далее",
        "т. п.": "тому подобное", "т.п.": "тому подобное", "др.": "другие", "г.": "год",
        "гг.": "годы", "ул.": "улица", "д.": "дом", "кв.": "квартира", "стр.": "страница",
        "руб.": "рублей", "коп.": "копеек", "тыс.": "тысяч", "млн": "миллионов",
        "млрд": "миллиардов",
        "чел.": "человек", "см.": "смотри", "напр.": "например", "т. к.": "так как",
        "т.к.": "так как",
        "проф.": "профессор", "акад.": "академик", "им.": "имени", "до н. э.": "до нашей эры",
        "н. э.": "нашей эры", "просп.": "проспект", "тел.": "телефон", "США": "эс ша а",
        "СССР": "эс эс эс эр",
        "РФ": "эр эф", "ЕС": "е эс", "ООН": "о о эн", "МГУ": "эм гэ у", "ФСБ": "эф эс бэ",
    },
    numbered={"№": "номер", "стр.": "страница", "с.": "страница", "рис.": "рисунок", "гл.": "глава",
              "д.": "дом", "кв.": "квартира", "п.": "пункт", "ст.": "статья", "#": "номер"},
    scales={**dict.fromkeys(("млн", "млн.", "миллиона", "миллионов"),
                            ("миллион", "миллиона", "миллионов", "миллиона")),
            **dict.fromkeys(("млрд", "млрд.", "миллиарда", "миллиардов"),
                            ("миллиард", "миллиарда", "миллиардов", "миллиарда")),
            "тыс.": ("тысяча", "тысячи", "тысяч", "тысячи")},
    cents={"RUB": ("копейка", "копейки", "копеек"), "USD": ("цент", "цента", "центов"),
           "EUR": ("цент", "цента", "центов"), "GBP": ("пенс", "пенса", "пенсов")},
    genders={"": "masculine", "копейка": "feminine", "копейки": "feminine", "копеек": "feminine",
             "тысяча": "feminine", "тонна": "feminine", "тонны": "feminine", "тонн": "feminine",
             "секунда": "feminine", "секунды": "feminine", "секунд": "feminine",
             "минута": "feminine",
             "минуты": "feminine", "минут": "feminine", "миля": "feminine", "мили": "feminine",
             "миль": "feminine", "иена": "feminine", "гривна": "feminine"},
    fractions={"1/2": "одна вторая", "1/3": "одна треть", "2/3": "две трети",
               "1/4": "одна четверть",
               "3/4": "три четверти", "½": "одна вторая", "¼": "одна четверть",
               "¾": "три четверти"},
    date=_date,
    time=_time,
    phones=r"8[ -]?\(?\d{3}\)?[ -]\d{3}-\d\d-\d\d",
)  # fmt: skip
