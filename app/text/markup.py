"""Markup in a text: pauses, Markdown and emoji. Pure functions.

Pauses are `[pause:1.5s]`, `[pause:300ms]` and SSML's `<break time="1s"/>`. This module takes a
model's own tags, such as turbo's `[laugh]`, for words and leaves them in the text.
"""

import re
from dataclasses import dataclass
from functools import cache

import emoji
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.errors import BadRequest
from app.text.segments import FIRST_MAX_CHARS, MAX_CHARS, segment

MAX_PAUSE_S = 10.0
MAX_PAUSES_S = 60.0  # in one text
BREAK_S = 0.5  # <break/> without a time

_MARK = re.compile(
    r"\[pause:(?P<pause>[^\[\]]{0,32})\]|<break\b(?P<break>[^<>]{0,64})>(?:</break>)?|</?speak>",
    re.IGNORECASE,
)
_TIME = re.compile(r"\s*(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})(ms|s)\s*", re.IGNORECASE)
_BREAK = re.compile(r"""\s*(?:time\s*=\s*(["'])(?P<time>[^"']*)\1)?\s*/?\s*""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SpokenText:
    """`pauses_s[i]` is the silence before segment i; the last entry is the silence at the end."""

    segments: tuple[str, ...]
    pauses_s: tuple[float, ...]

    @property
    def num_chars(self) -> int:
        return sum(map(len, self.segments))


def parse_markup(
    text: str,
    language: str | None = None,
    max_chars: int = MAX_CHARS,
    first_max_chars: int = FIRST_MAX_CHARS,
) -> SpokenText:
    """A text with nothing to speak has no segments. Raises BadRequest for a pause that is
    malformed or too long."""
    segments: list[str] = []
    pauses_s = [0.0]
    at = 0
    for mark in [*_MARK.finditer(text), None]:
        said = text[at : mark.start() if mark else len(text)]
        groups = segment(said, language, max_chars, max_chars if segments else first_max_chars)
        segments += groups
        pauses_s += [0.0] * len(groups)
        if mark is not None:
            pauses_s[-1] += _seconds(mark)
            at = mark.end()
    if sum(pauses_s) > MAX_PAUSES_S:
        message = f"input: the pauses of a text may add up to at most {MAX_PAUSES_S:g} s"
        raise BadRequest(message, param="input")
    return SpokenText(tuple(segments), tuple(pauses_s))


def is_open_mark(text: str) -> bool:
    """Whether `text` ends inside markup that may become a pause."""
    at = max(text.rfind("["), text.rfind("<"))
    if at < 0 or len(text) - at > 80:
        return False
    head = text[at:].lower()
    starts = ("[pause:", "<break", "<speak>", "</speak>", "</break>")
    is_closed = ("]" if head[0] == "[" else ">") in head
    return not is_closed and any(head[: len(start)] == start[: len(head)] for start in starts)


def _seconds(mark: re.Match[str]) -> float:
    given = mark["pause"]
    if mark["break"] is not None:
        attributes = _BREAK.fullmatch(mark["break"])
        if attributes is None:
            message = 'input: a break must be written as <break time="500ms"/>'
            raise BadRequest(message, param="input")
        given = attributes["time"] or f"{BREAK_S}s"
    elif given is None:  # <speak>
        return 0.0
    time = _TIME.fullmatch(given)
    if time is None:
        message = "input: the time of a pause must be written as 1.5s or 300ms"
        raise BadRequest(message, param="input")
    seconds = float(time[1]) / (1000 if time[2].lower() == "ms" else 1)
    if seconds > MAX_PAUSE_S:
        raise BadRequest(f"input: a pause may last at most {MAX_PAUSE_S:g} s", param="input")
    return seconds


def without_emoji(text: str) -> str:
    return emoji.replace_emoji(text, " ")


def without_markdown(text: str) -> str:
    """The words of a Markdown text; each block is a paragraph. The numbers of a list and code stay;
    the addresses of links are removed."""
    blocks: list[str] = []
    number = ""
    for token in _markdown().parse(text):
        if token.type == "list_item_open":
            number = f"{token.info}. " if token.info else ""
        elif token.type in ("fence", "code_block"):
            blocks.append(token.content)
        elif token.type == "inline":
            blocks.append(number + _words(token.children or []))
            number = ""
    return "\n\n".join(blocks)


def _words(tokens: list[Token]) -> str:
    breaks = {"softbreak": "\n", "hardbreak": "\n"}
    return "".join(breaks.get(token.type, token.content) for token in tokens)


@cache
def _markdown() -> MarkdownIt:
    """HTML counts as text, because <break/> is a pause."""
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
