"""The blocks of a text: paragraphs, headings, items of lists, rows of tables, stage directions.

A block without an end mark gets a stop, so that it is not read into the next one. The number of an
item keeps to its item: a comma stands between them. Lines without a word are dropped. Works on
plain text, and on what Markdown leaves. Pure functions.
"""

import re
from dataclasses import dataclass

from app.text.spans import Replacement
from app.text.ssml import PAUSE

_STOPS = {"hi": "।", "ja": "。", "zh": "。"}
_ENDED = re.compile(r"[.!?…。！？।॥؟۔:：;；,،、؛，—–-][\"'”’»」』)\]}*_`~]*\s*$")  # noqa: RUF001
_LINE = re.compile(r"[^\n]*\n?")
_SEPARATOR = re.compile(r"[\W_]*")
_SEPARATOR_MARKS = re.compile(r"(?:(?:[^\w\s!?]|_)\s*){3,}")
_INLINE_SEPARATOR = re.compile(r"(?<!\S)([-*_=~#•·])(?:[ \t]*\1){2,}(?!\S)")
_BULLET = re.compile(r"[ \t]*[-*+•‣◦▪●○■–—]\s+(?=\S)")  # noqa: RUF001
_TASK = re.compile(r"[ \t]*\[[ xX]\]\s+(?=\S)")
_HEADING = re.compile(r"[ \t]*#{1,6}[ \t]+(?=\S)")
_NUMBER = re.compile(r"[ \t]*(?P<number>\d{1,3}|[A-Za-z](?=\)))(?P<mark>[.)])[ \t]+(?=\S)")
_INLINE_NUMBER = re.compile(r"(?<!\S)(?P<number>\d{1,2})(?P<mark>[.)])[ \t]+(?=\S)")
_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*$")
_CELL_BORDER = re.compile(r"[ \t]*\|[ \t]*")
_ORDINAL_POINTS = ("da", "de", "fi", "no", "pl", "tr")  # languages that write the 24th as 24.
_DIRECTION = re.compile(r"(?P<open>\*+)(?P<words>[^\W_][^*\n]{0,200}?)\*+(?=\s|$)")


@dataclass(slots=True)
class _Line:
    start: int
    end: int  # before the line break
    text: str
    replacements: list[Replacement]
    is_block: bool = False  # it begins a block, and is one as far as its lines go
    is_silent: bool = False


def blocks(text: str, language: str) -> list[Replacement]:
    stop = _STOPS.get(language, ".")
    lines = _lines(text, begins_list=language not in _ORDINAL_POINTS)
    found: list[Replacement] = []
    last: _Line | None = None  # the last line with words
    is_new = False  # something stands between it and this line
    for line in lines:
        if line.is_silent:
            is_new = True
        else:
            if last is not None and (is_new or _ends_block(last, line)):
                found += _stop_behind(last, stop)
            last, is_new = line, False
        found += line.replacements
    return _in_order(found)


def is_ended(words: str) -> bool:
    """Whether the words need no stop behind them."""
    return _ENDED.search(words) is not None


def _lines(text: str, *, begins_list: bool) -> list[_Line]:
    """`begins_list`: the first line may go on with a list whose first items are not here."""
    lines = []
    numbers = {int(m["number"]) for m in _line_numbers(text) if m["number"].isdecimal()}
    is_first = begins_list
    for match in _LINE.finditer(text):
        words = match[0].rstrip("\r\n")
        line = _Line(match.start(), match.start() + len(words), words, [])
        _read(line, numbers, is_first=is_first)
        is_first = is_first and line.is_silent
        lines.append(line)
    return lines


def _line_numbers(text: str) -> list[re.Match[str]]:
    starts = [0, *(each.end() for each in re.finditer(r"\n", text))]
    return [found for at in starts if (found := _NUMBER.match(text, at)) is not None]


def _read(line: _Line, numbers: set[int], *, is_first: bool) -> None:
    if _SEPARATOR.fullmatch(line.text) and PAUSE not in line.text:
        line.is_silent = True
        if _SEPARATOR_MARKS.search(line.text):
            line.replacements.append(Replacement(line.start, line.end, ""))
        return
    if _ROW.match(line.text):
        line.is_block = True
        _read_row(line)
        return
    number = _NUMBER.match(line.text)
    if number is not None and (is_first or _is_of_list(number, numbers)):
        line.is_block = True
        _say_number(line, number, number.end("number"))
        return
    mark = _BULLET.match(line.text) or _HEADING.match(line.text)
    at = mark.end() if mark else 0
    task = _TASK.match(line.text, at)
    at = task.end() if task else at
    if at:
        line.is_block = True
        line.replacements.append(_cut(line, 0, at))
    _read_inline(line, at)


def _cut(line: _Line, start: int, end: int, say: str = "") -> Replacement:
    return Replacement(line.start + start, line.start + end, say)


def _is_of_list(found: re.Match[str], numbers: set[int]) -> bool:
    """A line of prose may begin with a number that ends a sentence."""
    if not found["number"].isdecimal():
        return True
    number = int(found["number"])
    return number <= 1 or bool({number - 1, number + 1} & numbers)


def _say_number(line: _Line, number: re.Match[str], at: int) -> None:
    line.replacements.append(_cut(line, at, at + 1, ","))
    _read_inline(line, number.end(), int(number["number"]) if number["number"].isdecimal() else 0)


def _read_row(line: _Line) -> None:
    borders = list(_CELL_BORDER.finditer(line.text))
    for border in borders:
        is_edge = border.start() == 0 or border.end() == len(line.text)
        is_edge = is_edge or not line.text[: border.start()].strip(" \t|")
        line.replacements.append(_cut(line, *border.span(), "" if is_edge else ", "))


def _read_inline(line: _Line, at: int, number: int = 0) -> None:
    """Numbers of a list within the line, and stage directions."""
    for found in _INLINE_NUMBER.finditer(line.text, at):
        before = line.text[at : found.start()]
        follows = int(found["number"]) == number + 1
        if follows and (number or not before.strip() or is_ended(before)):
            if number and not is_ended(before):
                end = at + len(before.rstrip())
                line.replacements.append(_cut(line, end, end, "."))
            mark = found.start("mark")
            line.replacements.append(_cut(line, mark, mark + 1, ","))
            number, at = number + 1, found.end()
    for separator in _INLINE_SEPARATOR.finditer(line.text, at):
        before = line.text[: separator.start()].rstrip()
        say = "," if before and not is_ended(before) else ""
        line.replacements.append(_cut(line, len(before), separator.end(), say))
    _read_directions(line)


def _read_directions(line: _Line) -> None:
    for found in _DIRECTION.finditer(line.text):
        before, after = line.text[: found.start()].strip(), line.text[found.end() :].strip()
        begins = not before or is_ended(before)
        if begins and (not after or after[0].isupper() or not after[0].isalnum()):
            stop = "" if not after or is_ended(found["words"]) else "."
            line.replacements.append(_cut(line, *found.span("open")))
            line.replacements.append(_cut(line, found.end("words"), found.end(), stop))


def _ends_block(last: _Line, line: _Line) -> bool:
    """Whether the line behind `last` begins another block."""
    if line.is_block:
        return True
    first = line.text.lstrip()
    is_indented = len(first) < len(line.text)
    return last.is_block and not is_indented and not first[:1].islower()


def _stop_behind(line: _Line, stop: str) -> list[Replacement]:
    said = line.text.rstrip(" \t|" if _ROW.match(line.text) else None)
    if is_ended(said) or said.endswith(PAUSE):
        return []
    end = line.start + len(line.text.rstrip())
    return [Replacement(end, end, stop)]


def _in_order(found: list[Replacement]) -> list[Replacement]:
    ordered: list[Replacement] = []
    for each in sorted(found, key=lambda each: (each.start, each.end)):
        if not ordered or ordered[-1].end <= each.start:
            ordered.append(each)
    return ordered
