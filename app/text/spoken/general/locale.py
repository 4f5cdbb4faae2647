"""The written units and currencies, and their names in a language, with the right plural."""
# ruff: noqa: RUF001

import re

from app.text.spoken.icu import counted

# By the names of Unicode's locale data.
_UNITS = {
    "mm": "millimeter", "cm": "centimeter", "m": "meter",
    "km": "kilometer", "dm": "decimeter", "µm": "micrometer",
    "μm": "micrometer",
    "nm": "nanometer", "mi": "mile", "ft": "foot", "yd": "yard",
    "mg": "milligram", "g": "gram", "kg": "kilogram", "t": "tonne",
    "lb": "pound", "oz": "ounce",
    "ml": "milliliter", "mL": "milliliter", "cl": "centiliter",
    "dl": "deciliter", "l": "liter", "L": "liter",
    "m²": "square-meter", "m2": "square-meter", "km²": "square-kilometer",
    "km2": "square-kilometer", "cm²": "square-centimeter", "ha": "hectare",
    "m³": "cubic-meter", "m3": "cubic-meter", "cm³": "cubic-centimeter",
    "km/h": "kilometer-per-hour", "m/s": "meter-per-second",
    "mph": "mile-per-hour",
    "s": "second", "ms": "millisecond", "min": "minute",
    "h": "hour",
    "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt",
    "kWh": "kilowatt-hour", "J": "joule", "kJ": "kilojoule",
    "kcal": "kilocalorie", "V": "volt", "A": "ampere",
    "mA": "milliampere", "Ω": "ohm",
    "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz",
    "GHz": "gigahertz",
    "kB": "kilobyte", "KB": "kilobyte", "MB": "megabyte",
    "GB": "gigabyte", "TB": "terabyte", "Mbit": "megabit",
    "Gbit": "gigabit",
    "°C": "celsius", "° C": "celsius", "°F": "fahrenheit",
    "hPa": "hectopascal", "bar": "bar",
}  # fmt: skip
# The same units in the letters of other alphabets.
_NATIVE: dict[str, dict[str, str]] = {
    "ru": {
        "мм": "mm", "см": "cm", "м": "m", "км": "km", "мг": "mg", "г": "g", "кг": "kg", "т": "t",
        "мл": "ml", "л": "l", "м²": "m²", "км²": "km²", "м³": "m³", "км/ч": "km/h", "м/с": "m/s",
        "с": "s", "сек": "s", "мин": "min", "ч": "h", "Вт": "W", "кВт": "kW", "МБ": "MB",
        "ГБ": "GB", "ТБ": "TB", "КБ": "kB", "Гц": "Hz", "МГц": "MHz", "ГГц": "GHz",
    },
    "hi": {"किमी": "km", "सेमी": "cm", "मिमी": "mm", "किग्रा": "kg", "ग्रा": "g", "मी": "m",
           "मिली": "ml", "किमी/घंटा": "km/h"},
    "nl": {"km/u": "km/h"}, "da": {"km/t": "km/h"}, "no": {"km/t": "km/h"},
    "sv": {"km/tim": "km/h"},
    "ar": {"كم": "km", "سم": "cm", "مم": "mm", "كغ": "kg", "كجم": "kg", "غ": "g", "م": "m",
           "مل": "ml", "كم/س": "km/h", "ل": "l"},
}  # fmt: skip
CURRENCIES = {
    "€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "₽": "RUB", "₩": "KRW", "₺": "TRY",
    "₴": "UAH", "₪": "ILS", "zł": "PLN", "R$": "BRL", "RM": "MYR", "US$": "USD", "฿": "THB",
    "₫": "VND", "Fr.": "CHF", "kr": "SEK", "руб.": "RUB", "руб": "RUB", "р.": "RUB", "د.إ": "AED",
    "ر.س": "SAR",
}  # fmt: skip
_CODES = ("EUR", "USD", "GBP", "JPY", "INR", "RUB", "KRW", "TRY", "CHF", "SEK", "NOK", "DKK", "PLN",
          "CNY", "CAD", "AUD", "BRL", "MXN", "SAR", "AED", "EGP", "CZK", "HUF")  # fmt: skip
CURRENCIES |= {code: code for code in _CODES}
_CROWNS = {"da": "DKK", "no": "NOK", "sv": "SEK"}
# Names that the locale data gives in full, in everyday words.
_EVERYDAY = {
    "de": {"US-Dollar": "Dollar"},
    "es": {"dólares estadounidenses": "dólares", "dólar estadounidense": "dólar",
           "libras esterlinas": "libras", "libra esterlina": "libra", "celsius": "Celsius"},
    "fr": {"dollars des États-Unis": "dollars", "dollar des États-Unis": "dollar",
           "livres sterling": "livres", "livre sterling": "livre", "Celsius": "Celsius"},
    "sv": {"amerikanska dollar": "dollar", "amerikansk dollar": "dollar", "US-dollar": "dollar",
           "svenska kronor": "kronor", "svensk krona": "krona", "brittiska pund": "pund",
           "brittiskt pund": "pund"},
    "ru": {"долларов США": "долларов", "доллара США": "доллара", "доллар США": "доллар",
           "российских рублей": "рублей", "российских рубля": "рубля", "российский рубль": "рубль",
           "российского рубля": "рубля", "фунтов стерлингов": "фунтов",
           "фунта стерлингов": "фунта", "фунт стерлингов": "фунт"},
    "hi": {"भारतीय रुपए": "रुपये", "भारतीय रुपया": "रुपया", "यूएस डॉलर": "डॉलर"},
    "pl": {"złotych polskich": "złotych", "złote polskie": "złote", "złoty polski": "złoty",
           "złotego polskiego": "złotego"},
    "ms": {"Ringgit Malaysia": "ringgit"},
    "da": {"danske kroner": "kroner", "dansk krone": "krone"},
    "no": {"norske kroner": "kroner", "norsk krone": "krone"},
    "ar": {"دولار أمريكي": "دولار", "دولارات أمريكية": "دولارات"},
}  # fmt: skip
_SYMBOL = re.compile(r"[₺₴€$£]")  # Turkish has one beside the name


def units_of(language: str) -> dict[str, str]:
    """Each written unit, and its name in the locale data."""
    native = {short: _UNITS[unit] for short, unit in _NATIVE.get(language, {}).items()}
    return {**_UNITS, **native}


def currencies_of(language: str) -> dict[str, str]:
    """Each written currency, and its code. A crown is that of the language's land."""
    crown = _CROWNS.get(language)
    return {**CURRENCIES, "kr": crown, "kr.": crown} if crown else CURRENCIES


def unit_phrase(number: str, words: str, unit: str, language: str) -> str:
    """`words` are what the number is said as, and `unit` is a value of `units_of`."""
    return counted(number, words, f"unit/{unit}", language)


def noun_of(number: str, kind: str, language: str) -> str:
    """The bare name of `unit/…` or `currency/…`, in the plural of the number."""
    said = counted(number, "", kind, language).strip()
    for full, everyday in _EVERYDAY.get(language, {}).items():
        said = said.replace(full, everyday)
    return _SYMBOL.sub("", said).strip()


def currency_name(code: str, number: str, language: str) -> str:
    """In the plural of the number, which is written with ASCII digits and a point."""
    return noun_of(number, f"currency/{code}", language)
