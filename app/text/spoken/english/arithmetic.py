"""Sums, comparisons, products of sides, ranges, ratios and fractions in English."""
# ruff: noqa: RUF001

import re

from app.text.spoken.english.numbers import (
    DASH,
    NUMBER,
    cardinal,
    code,
    number,
    ordinal,
    plural_of,
)
from app.text.spoken.rules import FORM, Rule, rule, written

_SIGNS = {
    "+": "plus", "-": "minus", "\N{MINUS SIGN}": "minus", "\N{EN DASH}": "minus",
    "*": "times", "×": "times", "·": "times", "x": "times", "/": "divided by", "÷": "divided by",
    "^": "to the power of", "**": "to the power of", "±": "plus or minus", "+/-": "plus or minus",
    "=": "equals", "==": "equals", "≠": "is not equal to", "!=": "is not equal to",
    "<": "is less than", ">": "is greater than", "≈": "is approximately",
    "≤": "is less than or equal to", "<=": "is less than or equal to",
    "≥": "is greater than or equal to", ">=": "is greater than or equal to",
    "√": "the square root of", "π": "pi", "%": "percent", "²": "squared", "³": "cubed",
}  # fmt: skip
_LONE = {"<": "less than", ">": "more than", "≤": "at most", "<=": "at most", "≥": "at least",
         ">=": "at least", "~": "about", "≈": "about", "±": "plus or minus",
         "+/-": "plus or minus"}  # fmt: skip
_COMPARED = r"[=!<>]=|[=<>≤≥≠≈]"
_OPERATOR = r"\+/-|\*\*|[-+*×·÷/^±x\N{MINUS SIGN}\N{EN DASH}]"
_TERM = rf"[-\N{{MINUS SIGN}}]?\(?√?(?:(?:{NUMBER})[a-z]?\b|\b[a-zA-Z]\b|π)[²³%]?\)?"
_SUM = rf"{_TERM}(?:\s?(?:{_OPERATOR})\s?{_TERM})*"
_TOKENS = re.compile(rf"{NUMBER}|{_COMPARED}|{_OPERATOR}|[a-zA-Z]|[√π²³%()]", re.VERBOSE)


def _say_sum(match: re.Match[str]) -> str | None:
    if not any(char.isdecimal() for char in match[0]):
        return None
    said: list[str] = []
    is_term = True  # x is a name where a term is due, else a sign
    form = match[FORM] if FORM in match.re.groupindex else match[0]
    num_open = 0
    for token in _TOKENS.findall(form):
        if token in "()":
            num_open += 1 if token == "(" else -1
            if num_open < 0:  # f(5): opened before the sum
                said[-1] += ")"
                num_open = 0
            continue
        if token[0].isdecimal() or token[0] == ".":
            said.append(number(token))
        else:
            is_name = is_term and token == "x"
            said.append(token if is_name else _SIGNS.get(token, token))
        is_term = not (token[0].isdecimal() or token.isalpha()) or (token == "x" and not is_term)
    words = "(" * num_open + " ".join(said)
    return words.replace("to the power of two", "squared").replace("to the power of three", "cubed")


def _say_asked(match: re.Match[str]) -> str | None:
    """No words for a lone number."""
    return _say_sum(match) if not match["form"].strip().isalnum() else None


_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def _say_power(match: re.Match[str]) -> str:
    power = match[0].translate(_SUPERSCRIPTS)
    words = {"2": " squared", "3": " cubed"}
    return words.get(power) or f" to the power of {number(power)}"


def _say_by(match: re.Match[str]) -> str:
    return " by "


def _say_pixels(match: re.Match[str]) -> str:
    return f"{code(match['left'])} by {code(match['right'])}"


def _say_times(match: re.Match[str]) -> str:
    return f"{number(match['amount'])} times"


def _say_lone(match: re.Match[str]) -> str:
    return f"{_LONE[match['sign']]} "


_IN_CHAIN = re.compile(r"\w-[\d.,\0]+$")
_CHAIN_GOES_ON = re.compile(r"[\d.,\0]+-\d")


def _say_to(match: re.Match[str]) -> str:
    """A number in a chain (4-4-2, Llama-3.1-70B) is the end of no range."""
    before = match.string[max(0, match.start() - _MAX_CHAIN) : match.start()]
    in_chain = match[0] == "-" and (
        _IN_CHAIN.search(before) or _CHAIN_GOES_ON.match(match.string, match.end())
    )
    return " " if in_chain else " to "


def _say_verses(match: re.Match[str]) -> str:
    said = f"{number(match['chapter'])} {number(match['verse'])}"
    return f"{said} to {number(match['to'])}" if match["to"] else said


def _say_nothing(match: re.Match[str]) -> str:
    """fifty fifty"""
    return " "


def _say_ratio(match: re.Match[str]) -> str:
    return f"{number(match['left'])} to {number(match['right'])}"


_PART_NAMES = {"2": ("half", "halves"), "4": ("quarter", "quarters")}
_PARTS = "100|1000|10|12|16|20|32|64|[2-9]"
_VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5",
    "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
}  # fmt: skip


def _say_fraction(match: re.Match[str]) -> str:
    whole, vulgar = written(match, "whole"), written(match, "vulgar")
    top, bottom = _VULGAR[vulgar].split("/") if vulgar else (match["top"], match["bottom"])
    if int(top) > int(bottom) and bottom not in ("2", "3", "4"):
        return f"{cardinal(int(top))} {cardinal(int(bottom))}"  # 24/7
    one, many = _PART_NAMES.get(bottom) or (ordinal(int(bottom)), plural_of(ordinal(int(bottom))))
    said = f"{'a' if whole else 'one'} {one}" if int(top) == 1 else f"{cardinal(int(top))} {many}"
    return f"{number(whole)} and {said}" if whole else said


def _say_fraction_of_an_inch(match: re.Match[str]) -> str | None:
    """None where the mark ends a quotation."""
    ends_quotation = match.string[: match.start()].count('"') % 2 == 1
    return None if ends_quotation else f"{_say_fraction(match)} inch"


def _say_out_of(match: re.Match[str]) -> str:
    return f"{number(match['left'])} out of {number(match['right'])}"


def _say_of(match: re.Match[str]) -> str:
    return f"{number(match['left'])} of {number(match['right'])}"


def _say_over(match: re.Match[str]) -> str:
    return f"{number(match['left'])} over {number(match['right'])}"


def _say_pair(match: re.Match[str]) -> str:
    return f"{cardinal(int(match['top']))} {cardinal(int(match['bottom']))}"


_MAX_CHAIN = 24  # characters before a hyphen that tell whether it is in a chain
_BOOKS = (
    "Genesis|Exodus|Leviticus|Numbers|Deuteronomy|Joshua|Judges|Samuel|Kings|Chronicles|Job|"
    "Psalms?|Proverbs|Ecclesiastes|Isaiah|Jeremiah|Ezekiel|Daniel|Matthew|Mark|Luke|John|Acts|"
    "Romans|Corinthians|Galatians|Ephesians|Philippians|Timothy|Hebrews|James|Peter|Revelation|"
    "Surah|Quran"
)
_COUNTED = (
    "page|step|part|slide|chapter|episode|level|round|stage|day|question|item|task|file|test|week|"
    "attempt|lesson|section|phase"
)
_GIVEN = r"(?:gave|got|give)(?=[a-z\s]{1,20}\d+(?:\.\d)?/(?:5|10|100)\b)"
_RATED = rf"rated?|rating|scored?|graded?|{_GIVEN}"
_OVER = r"(?P<form>(?P<left>\d+(?:\.\d+)?)/(?P<right>\d+))(?![\w/%]|[.,]\d)"
_SIDE = r"(?:[cmk]?m|ft|in|px|feet|inches|meters|metres)\b"
_START = r"(?<![\w.,/$€£-])"
_END = r"(?!\w|\.\d)"
_ASKED = r"(?:\b[Ww]hat(?:\sis|['’]s)|\b(?:[Cc]alculate|[Cc]ompute|[Ss]olve))\s"
RULES: tuple[Rule, ...] = (
    rule(rf"\b(?i:{_COUNTED})\s{_OVER}", _say_of),
    rule(
        rf"""\b(?i:{_RATED})(?::|\s(?:is|was|of|it|them|him|her|us|me|a|an))*\s{_OVER}""",
        _say_out_of,
    ),
    rule(rf"(?<![\w.,/$€£-]){_OVER}(?=\s(?:stars?|points|rating)\b)", _say_out_of),
    rule(r"(?<![\w.,/$€£-])(?P<left>\d{1,2}\.\d)/(?P<right>5|10|100)(?![\w/%.])", _say_out_of),
    rule(
        rf"\b(?:BP|[Bb]lood\spressure)(?:\s(?:is|was|of|at))?:?\s(?=\d{{2,3}}/\d){_OVER}",
        _say_over,
    ),
    rule(rf"{_START}{_SUM}(?:\s?(?:{_COMPARED})\s?{_SUM})+{_END}", _say_sum),
    rule(r"(?<![\w.,])(?P<left>\d{3,4})\s?[x×]\s?(?P<right>\d{3,4})(?!\w|[.,]\d)", _say_pixels),
    rule(rf"{_ASKED}(?P<form>{_SUM}){_END}", _say_asked),
    rule(
        rf"""(?<=\d)[x×](?=\d)|(?<=[\d"″'])\sx\s(?=\d)
        |(?<=\d)\s×\s(?=\d+(?:\.\d+)?(?:\s?[x×]\s?\d+(?:\.\d+)?)?\s?{_SIDE})""",
        _say_by,
    ),
    rule(rf"{_START}{_TERM}(?:\s?(?:\*\*|[+*×÷^])\s?{_TERM})+{_END}", _say_sum),
    rule(rf"{_START}(?:{NUMBER})\s[/\N{{MINUS SIGN}}-]\s(?:{NUMBER}){_END}(?=\s?[.?]|$)", _say_sum),
    rule(rf"√\s?(?:{NUMBER})", _say_sum),
    rule(rf"(?<![\w.,$€£-])(?P<amount>{NUMBER})[x×](?![\w])", _say_times),
    rule(r"(?<![\w<>=-])(?P<sign>\+/-|[<>]=|[<>≤≥~≈±])\s?(?=[$€£]?\d)", _say_lone),
    rule(
        rf"""(?<![\w.,/$€£"-])(?:(?P<whole>\d+)[\s-])?(?P<top>\d{{1,2}})[/⁄](?P<bottom>{_PARTS})
        (?P<vulgar>)["″](?!\w)""",
        _say_fraction_of_an_inch,
    ),
    rule(
        rf"""(?<![\w.,/$€£-])(?:(?P<whole>\d+)[\s-])?(?P<top>\d{{1,2}})[/⁄](?P<bottom>{_PARTS})
        (?P<vulgar>)(?![\w/%]|[.,]\d)""",
        _say_fraction,
    ),
    rule(rf"(?<![\w.,/$€£-])(?P<whole>\d+)?\s?(?P<vulgar>[{''.join(_VULGAR)}])", _say_fraction),
    rule(r"(?<![\w.,/$€£-])(?P<top>\d{1,2})/(?P<bottom>\d{1,2})(?![\w/%]|[.,]\d)", _say_pair),
)
POWER_RULES = (rule(r"(?:(?<=[\da-z)\0])|(?<=\b[A-Z]))[⁰¹²³⁴⁵⁶⁷⁸⁹]+(?!\w)", _say_power),)
# Between two numbers whose own rules come later.
RANGE_RULES: tuple[Rule, ...] = (
    rule(
        rf"""\b(?:{_BOOKS})\s(?P<form>(?P<chapter>[1-9]\d{{0,2}}):(?P<verse>[1-9]\d{{0,2}})
        (?:{DASH}(?P<to>\d{{1,3}}))?)(?![\w:-]|[.,]\d)""",
        _say_verses,
    ),
    rule(r"(?<![\w.,:/-])(?P<left>\d{1,4}):(?P<right>\d{1,4})(?![\w:]|[.,]\d)", _say_ratio),
    rule(r"(?<![\w.,-])(?P<left>\d+)(?P<form>-)(?P=left)(?![\w.,-]\w)(?!\w)", _say_nothing),
    rule(rf"(?<=[\d\0%°])\s?{DASH}\s?(?=[$€£~]?\.?[\d\0])", _say_to),
    rule(
        rf"(?<=\d[CFmgsh]){DASH}(?=\d)|(?:(?<=[AaPp][Mm])|(?<=[ap]\.m\.))\s?{DASH}\s?(?=\d)",
        _say_to,
    ),
)
