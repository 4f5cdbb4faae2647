"""What every language has: numbers of a list, sums, ranges, sizes, marks, phones, bare numbers."""
# ruff: noqa: RUF001

import re
from collections.abc import Mapping

from app.text.spoken import numbers
from app.text.spoken.general.numbers import (
    DASH,
    MINUS,
    canonical,
    number_pattern,
    say_number,
    scale_word,
)
from app.text.spoken.general.words import Words
from app.text.spoken.icu import months_of
from app.text.spoken.rules import FORM, Rule, alternatives, apart, rule


def list_rules(words: Words) -> list[Rule]:
    """With a comma, so that no sentence ends behind the number of an item."""

    def say(match: re.Match[str]) -> str:
        return f"{numbers.cardinal(int(match['item']), words.language)},"

    months = alternatives(months_of(words.language))
    # Nr. 3. ends a sentence; so does a number behind a colon, unless it begins a list.
    known = _with_capitals({**words.numbered, **words.abbreviations})
    shorts = {key for key in known if key.endswith(".")}
    no_short = "".join(rf"(?<!\b{re.escape(key)})" for key in sorted(shorts))
    item = rf"(?P<form>(?P<item>\d{{1,3}})[.)])(?=[\ \t]+\S)(?!\s(?i:{months})\b)"
    return [
        rule(rf"^[\ \t]*{item}", say, re.MULTILINE),
        rule(rf"(?<=[.!?;।]){no_short}\s+{item}(?=\s+[^\W\d])", say),
        rule(rf"(?<=:)\s+(?=1[.)]){item}(?=\s+[^\W\d])", say),
    ]


def sum_rules(words: Words) -> list[Rule]:
    """A sign between two numbers. A minus needs a sign of equality in the same text."""
    if not words.signs:
        return []

    def say(match: re.Match[str]) -> str:
        return f" {words.signs[match['sign'].strip()]} "

    certain = alternatives([sign for sign in words.signs if sign not in "-/:x\N{MINUS SIGN}"])
    others = alternatives([sign for sign in words.signs if sign in "-/:x\N{MINUS SIGN}"])
    after = r"(?=[-\N{MINUS SIGN}]?\d|\b[a-z]\b)"
    return [
        rule(rf"(?<=[\d)]|\b[a-z])\s?(?P<sign>{certain})\s?{after}", say),
        rule(rf"(?<=\d)\s(?P<sign>{others})\s(?=\d+(?:[.,]\d+)?\s?(?:=|\0))", say),
    ]


def joint_rules(words: Words) -> list[Rule]:
    """Between two numbers: a range, or the sides of an area."""

    def say_to(match: re.Match[str]) -> str:
        return f" {words.to} "

    def say_by(match: re.Match[str]) -> str:
        return f" {words.by} "

    def say_times(match: re.Match[str]) -> str:
        return f" {words.times}"

    def say_ratio(match: re.Match[str]) -> str:
        return f" {words.ratio} "

    rules = []
    if words.ratio:
        rules.append(rule(r"(?<=\d)(?<!\d:\d):(?=\d{1,3}(?![\d:]))", say_ratio))
    if words.by:
        rules.append(rule(r"(?<=\d)\s?[x×]\s?(?=\d)", say_by))
    if words.times:
        rules.append(rule(r"(?<=\d)[x×](?!\w)", say_times))
    if words.to:
        rules.append(rule(rf"(?<=[\d%°\0])\s?{DASH}\s?(?=[$€£]?[\d\0])", say_to))
    return rules


def quantity_ranges(words: Words) -> list[Rule]:
    """Between two forms that were found: 5kg-10kg."""
    return [rule(rf"(?<=\0){DASH}(?=\0)", lambda _: f" {words.to} ")] if words.to else []


def phone_rules(words: Words) -> list[Rule]:
    def say(match: re.Match[str]) -> str:
        groups = [numbers.digits(group, words.language) for group in re.findall(r"\d+", match[0])]
        plus = f"{words.signs.get('+', 'plus')} " if match[0].startswith("+") else ""
        return plus + ", ".join(groups)

    return [
        rule(r"(?<!\w)\+\d{1,3}(?:[\s./-]?\(?\d{1,5}\)?){1,6}(?![\w-])", say),
        rule(rf"(?<![\w.,+:-])(?:{words.phones or '(?!)'})(?![\w-]|\s?[€$%])", say),
        rule(
            r"""(?<![\w.,+-])(?<!\d\s)(?<!\d:)\(?0\d{1,5}\)?[\s/-]\d{2,}(?:[\s-]\d{2,})*
            (?![\w-]|:\d)""",
            say,
        ),
        rule(r"(?<![\w.,+-])\d{3}-(?:(?!\d+00\b)\d{4}|\d{3,4}-\d{4})(?![\w-])", say),
    ]


def fraction_rules(words: Words) -> list[Rule]:
    def say(match: re.Match[str]) -> str | None:
        return words.fractions.get(match[0])

    def say_over(match: re.Match[str]) -> str | None:
        top = numbers.cardinal(int(match["top"]), words.language)
        bottom = numbers.cardinal(int(match["bottom"]), words.language)
        return f"{top} {words.over} {bottom}" if words.over else None

    named = alternatives(words.fractions) if words.fractions else r"(?!)"
    return [
        rule(rf"(?<![\w.,/])(?:{named})(?![\w/]|[.,]\d)", say),
        rule(r"(?<![\w.,/])(?P<top>\d{1,3})/(?P<bottom>\d{1,3})(?![\w/]|[.,]\d)", say_over),
    ]


_LAST = (  # before a capital
    *("usw.", "usf.", "etc.", "MwSt.", "osv.", "m.m.", "т.д.", "т.п.", "ecc.", "enz.", "e.d."),
    *("itd.", "itp.", "jne.", "ym.", "dll.", "dsb.", "n.k.", "vb.", "vs.", "κ.λπ.", "κλπ."),
)
_NEVER_FIRST = ("a. C.", "d. C.", "a.C.", "d.C.")  # capitals make initials of these: D. C.


def _with_capitals(abbreviations: Mapping[str, str]) -> dict[str, str]:
    """With those that begin a sentence: Z. B. beside z. B. A single letter is an initial there."""
    found = dict(abbreviations)
    for key, said in abbreviations.items():
        is_long = key.endswith(".") and sum(char.isalpha() for char in key) > 1
        if is_long and key[0].islower() and key not in _NEVER_FIRST:
            found.setdefault(key[0].upper() + key[1:], said[:1].upper() + said[1:])
    return found


def word_rules(words: Words) -> list[Rule]:
    """Abbreviations. The point at the end of a sentence stays."""

    spoken = _with_capitals(words.abbreviations)
    without_spaces = {key.replace(" ", ""): said for key, said in spoken.items()}

    def say(match: re.Match[str]) -> str:
        key = re.sub(r"\s", "", match[0])
        said = without_spaces[key]
        behind = r"\s*$|\s+[^\W\d_a-zà-ÿа-яё]" if key in _LAST else r"\s*$"
        is_last = key.endswith(".") and re.match(behind, match.string[match.end() :])
        return f"{said}." if is_last else said

    def say_numbered(match: re.Match[str]) -> str:
        is_apart = match.string[match.end(FORM) :][:1].isspace()
        return numbered[match[FORM]] + ("" if is_apart else " ")

    numbered = _with_capitals(words.numbered)
    rules = []
    if words.numbered:
        keys = alternatives(numbered)
        rules.append(rule(rf"(?<!\w)(?P<form>{keys})\s?(?=[\d\0])", say_numbered))
    if words.abbreviations:
        keys = alternatives(spoken).replace(r"\ ", r"[\s]?")
        rules.append(rule(rf"(?<![\w.])(?:{keys})(?!\w)", say))
    return rules


def scale_rules(words: Words) -> list[Rule]:
    """An amount with a short word for millions: 5 Mio."""

    def say(match: re.Match[str]) -> str:
        amount = canonical(match["amount"], words)
        forms = words.scales[match["scale"]]
        said = say_number(amount, words, words.genders.get(forms[0], ""))
        return f"{said} {scale_word(amount, forms, words.language)}"

    scales = alternatives(scale for scale, forms in words.scales.items() if scale not in forms)
    number = number_pattern(words.decimal, words.groups)
    amount = rf"(?<![\w.,])(?P<amount>{number})\s?(?P<scale>{scales})(?!\w)"
    return [rule(amount, say)] if scales else []


def number_rules(words: Words) -> list[Rule]:
    number = number_pattern(words.decimal, words.groups)

    def say(match: re.Match[str]) -> str:
        gender = words.agreement(match.string[match.end() :]) if words.agreement else ""
        return apart(say_number(canonical(match[0], words), words, gender), match)

    def say_year(match: re.Match[str]) -> str | None:
        return words.year(int(match[0])) if words.year else None

    def say_version(match: re.Match[str]) -> str:
        parts = [numbers.cardinal(int(part), words.language) for part in match[0].split(".")]
        point = words.address.get(".", words.point)
        return apart((f" {point} " if point else " ").join(parts), match)

    return [
        rule(r"(?<![\w.,])(?!\d{1,3}(?:\.\d{3})+(?!\d))\d+(?:\.\d+){2,}(?!\w)", say_version),
        rule(r"(?<=\b[vV])\d+(?:\.\d+){2,}(?!\w)", say_version),
        rule(r"(?<![\w.,:/])(?:1[1-9]\d\d|20\d\d)(?![\w%°]|[.,:/]\d)", say_year),
        rule(rf"(?<![\w.,\0]){MINUS}{number}(?!\d)", say),
        rule(rf"(?:(?<![\d.,])|(?<=\D[.,])|(?<=^[.,])){number}(?!\d)", say),
    ]


def mark_rules(words: Words) -> list[Rule]:
    def say(match: re.Match[str]) -> str:
        said = words.marks[match[0]]
        before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
        left = "" if before.isspace() or not before else " "
        return f"{left}{said}{'' if after.isspace() or not after else ' '}" if said else ""

    return [rule(alternatives(words.marks), say)] if words.marks else []
