"""Units in English: 40cm, 5 kg, 100 km/h, 72°F, 16 GB, 5'11", 10 Mbps, $5/month."""
# ruff: noqa: RUF001

import re

from app.text.spoken.english.numbers import MINUS, NUMBER, SCALE_WORD, cardinal, is_one, number
from app.text.spoken.rules import Rule, rule, written

# One, many. The plural adds an s where it is not given.
_NAMES = {
    "mm": "millimeter", "cm": "centimeter", "dm": "decimeter", "m": "meter", "km": "kilometer",
    "µm": "micrometer", "μm": "micrometer", "nm": "nanometer", "mi": "mile", "yd": "yard",
    "mg": "milligram", "g": "gram", "kg": "kilogram", "µg": "microgram", "μg": "microgram",
    "lb": "pound", "lbs": "pound", "oz": "ounce", "t": "ton",
    "ml": "milliliter", "mL": "milliliter", "cl": "centiliter", "dl": "deciliter",
    "l": "liter", "L": "liter", "gal": "gallon", "tsp": "teaspoon", "tbsp": "tablespoon",
    "s": "second", "sec": "second", "secs": "second", "ms": "millisecond", "µs": "microsecond",
    "μs": "microsecond", "ns": "nanosecond", "min": "minute", "mins": "minute",
    "h": "hour", "hr": "hour", "hrs": "hour", "yr": "year", "yrs": "year", "wk": "week", "d": "day",
    "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt", "mW": "milliwatt",
    "Wh": "watt hour", "kWh": "kilowatt hour", "MWh": "megawatt hour",
    "V": "volt", "kV": "kilovolt", "mV": "millivolt", "A": "amp", "mA": "milliamp",
    "mAh": "milliamp hour", "Ah": "amp hour", "Ω": "ohm", "kΩ": "kilohm",
    "J": "joule", "kJ": "kilojoule", "cal": "calorie", "kcal": "kilocalorie",
    "N": "newton", "Nm": "newton meter", "Pa": "pascal", "kPa": "kilopascal",
    "hPa": "hectopascal", "bar": "bar", "mbar": "millibar", "mol": "mole",
    "B": "byte", "kB": "kilobyte", "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte",
    "TB": "terabyte", "PB": "petabyte", "KiB": "kibibyte", "MiB": "mebibyte",
    "GiB": "gibibyte", "TiB": "tebibyte", "kb": "kilobit", "Mb": "megabit", "Gb": "gigabit",
    "dB": "decibel", "px": "pixel", "MP": "megapixel", "pt": "point", "acre": "acre",
    "ha": "hectare",
    "kbit": "kilobit", "Mbit": "megabit", "Gbit": "gigabit",
}  # fmt: skip
_INVARIABLE = {
    "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz", "THz": "terahertz",
    "lx": "lux", "K": "kelvin", "mph": "miles per hour", "kph": "kilometers per hour",
    "kmh": "kilometers per hour", "rpm": "revolutions per minute", "bpm": "beats per minute",
    "fps": "frames per second", "dpi": "dots per inch", "ppi": "pixels per inch",
    "psi": "pounds per square inch", "ppm": "parts per million", "mpg": "miles per gallon",
    "kbps": "kilobits per second", "Kbps": "kilobits per second", "Mbps": "megabits per second",
    "Gbps": "gigabits per second", "bps": "bits per second", "kt": "knots", "kn": "knots",
}  # fmt: skip
_IRREGULAR = {"ft": ("foot", "feet"), "in": ("inch", "inches"),
              "sq ft": ("square foot", "square feet"),
              "sq mi": ("square mile", "square miles")}  # fmt: skip
_POWERS = {"²": "square", "2": "square", "^2": "square", "³": "cubic", "3": "cubic", "^3": "cubic"}
_LENGTHS = ("mm", "cm", "dm", "m", "km", "ft", "in", "mi", "yd")

UNITS: dict[str, tuple[str, str]] = {
    **{unit: (name, f"{name}s") for unit, name in _NAMES.items()},
    **{unit: (name, name) for unit, name in _INVARIABLE.items()},
    **_IRREGULAR,
}
UNITS.update(
    {
        f"{unit}{power}": (f"{word} {UNITS[unit][0]}", f"{word} {UNITS[unit][1]}")
        for unit in _LENGTHS
        for power, word in _POWERS.items()
    }
)
PER = {
    "s": "per second", "sec": "per second", "second": "per second",
    "min": "per minute", "minute": "per minute",
    "h": "per hour", "hr": "per hour", "hour": "per hour",
    "d": "per day", "day": "per day", "wk": "per week", "week": "per week",
    "mo": "per month", "month": "per month", "yr": "per year", "year": "per year",
    "user": "per user", "person": "per person", "seat": "per seat", "night": "per night",
    "kg": "per kilogram", "g": "per gram", "lb": "per pound", "oz": "per ounce",
    "km": "per kilometer", "m": "per meter", "m²": "per square meter", "m³": "per cubic meter",
    "L": "per liter", "l": "per liter", "ml": "per milliliter", "mL": "per milliliter",
    "dl": "per deciliter", "gal": "per gallon", "kWh": "per kilowatt hour", "ft": "per foot",
    "s²": "per second squared", "s2": "per second squared", "s^2": "per second squared",
}  # fmt: skip
# These are also words or letters: they stand close behind the number, or with a point.
_CLOSE = ("in", "d", "t", "A", "B", "K", "N", "pt", "bar", "cal", "acre")


def _alternatives(units: list[str]) -> str:
    return "|".join(re.escape(unit) for unit in sorted(units, key=len, reverse=True))


_UNIT = _alternatives([unit for unit in UNITS if unit not in _CLOSE])
_CLOSE_UNIT = _alternatives([unit for unit in UNITS if unit not in ("K", "B")])
_PER = _alternatives(list(PER))
_NO_NOUN = r"(?:tall|wide|long|deep|high|thick|by|x|in|of|and|or|to|from|is|are|apart)\b"
_TEMPERATURES = {"C": "Celsius", "F": "Fahrenheit", "K": "kelvin", "": ""}


def _say(match: re.Match[str]) -> str:
    amount = match["amount"]
    one, many = UNITS[match["unit"]]
    scale = f" {match['scale']}" if written(match, "scale") else ""
    is_adjective = written(match, "hyphen") == "-"
    name = one if (is_one(amount) and not scale) or is_adjective else many
    per = f" {PER[match['per']]}" if match["per"] else ""
    return f"{number(amount)}{scale}{'-' if is_adjective else ' '}{name}{per}"


def _say_degrees(match: re.Match[str]) -> str:
    scale = _TEMPERATURES[written(match, "scale").upper()]
    name = "degree" if is_one(match["amount"]) else "degrees"
    return f"{number(match['amount'])} {name} {scale}".strip()


def _say_feet(match: re.Match[str]) -> str:
    feet = f"{cardinal(int(match['feet']))} {'foot' if match['feet'] == '1' else 'feet'}"
    return f"{feet} {_inches(match['inches'])}" if match["inches"] else feet


def _say_inches(match: re.Match[str]) -> str:
    """One inch before a noun: a twenty-seven inch screen."""
    is_adjective = re.match(rf"\s(?!{_NO_NOUN})[a-z]", match.string[match.end() :])
    return f"{number(match['amount'])} inch" if is_adjective else _inches(match["amount"])


def _inches(amount: str) -> str:
    return f"{number(amount)} {'inch' if is_one(amount) else 'inches'}"


def _say_per_mille(match: re.Match[str]) -> str:
    return f"{number(match['amount'])} per thousand"


def _say_stars(match: re.Match[str]) -> str:
    return f"{number(match['amount'])} {'star' if is_one(match['amount']) else 'stars'}"


def _say_percent(match: re.Match[str]) -> str:
    return f"{number(match['amount'])} percent"


_BODY_HEAT = r"(?P<amount>\d{2,3}\.\d)(?P<scale>F)(?!\w)"  # 98.6F; 98F may be a name
_START = r"(?<![\w.,$€£¥])"
_AMOUNT = rf"(?P<amount>(?:(?<!\d){MINUS}|\+)?(?:{NUMBER}))"
_SCALED = rf"(?:\ (?P<scale>{SCALE_WORD}))?"
RULES: tuple[Rule, ...] = (
    rule(rf"{_START}{_AMOUNT}\s?%", _say_percent),
    rule(rf"{_START}{_AMOUNT}\s?‰", _say_per_mille),
    rule(rf"{_START}{_AMOUNT}\s?[★⭐]", _say_stars),
    rule(
        rf"{_START}{_AMOUNT}\s?(?:°|º|degrees\ (?=[CFK]\b))\s?(?P<scale>[CFKcf])?(?!\w)",
        _say_degrees,
    ),
    rule(rf"{_START}{_BODY_HEAT}", _say_degrees),
    rule(
        r"""(?<![\w.,'’‘"“])(?P<feet>\d{1,2})['′’]
        (?:[\s-]?(?P<inches>\d{1,2}(?:\.\d)?)(?:["″”]|'')|\s?(?!\w))
        (?!\w)""",
        _say_feet,
    ),
    rule(rf"(?<![\w.,\"“]){_AMOUNT}[\"″”](?![\w])(?=[^\"”]*$|[^\"”]*[\"“])", _say_inches),
    rule(
        rf"""{_START}{_AMOUNT}(?P<hyphen>)(?P<unit>{_CLOSE_UNIT})
        (?:\s?/\s?(?P<per>{_PER}))?(?![\w²³])""",
        _say,
    ),
    rule(
        rf"""{_START}{_AMOUNT}{_SCALED}(?P<hyphen>[\ \xa0\u202f-])
        (?P<unit>{_UNIT})(?:\s?/\s?(?P<per>{_PER}))?(?![\w²³'’]|-\w)(?:\.(?=\s[a-z]))?""",
        _say,
    ),
    rule(
        rf"{_START}{_AMOUNT}{_SCALED}(?P<hyphen>\ )(?P<unit>in)(?P<per>)\.(?=\s|$)(?!\s[A-Z])",
        _say,
    ),
)
