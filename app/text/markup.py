"""What a text says, when it pauses, and what of it is only marks for the eye. Pure functions.

Pauses are `[pause:1.5s]`, `[pause:300ms]` and SSML's `<break time="1s"/>`. A model's own tags, as
turbo's `[laugh]`, are words to this module and stay.
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
class Script:
    """`pauses_s` are before each segment and after the last: one more than segments."""

    segments: tuple[str, ...]
    pauses_s: tuple[float, ...]

    @property
    def num_chars(self) -> int:
        return sum(map(len, self.segments))


def script(
    text: str,
    language: str | None = None,
    max_chars: int = MAX_CHARS,
    first_max_chars: int = FIRST_MAX_CHARS,
) -> Script:
    """Raises BadRequest for a pause that is none, or too long. Without segments there is nothing
    to speak."""
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
        raise BadRequest(f"input: its pauses are over {MAX_PAUSES_S:g} s in all", param="input")
    return Script(tuple(segments), tuple(pauses_s))


def is_open_mark(text: str) -> bool:
    """Whether `text` ends inside what may become a pause."""
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
            raise BadRequest('input: a break is <break time="500ms"/>', param="input")
        given = attributes["time"] or f"{BREAK_S}s"
    elif given is None:  # <speak>
        return 0.0
    time = _TIME.fullmatch(given)
    if time is None:
        raise BadRequest("input: a pause's time is written as 1.5s or 300ms", param="input")
    seconds = float(time[1]) / (1000 if time[2].lower() == "ms" else 1)
    if seconds > MAX_PAUSE_S:
        raise BadRequest(f"input: a pause is longer than {MAX_PAUSE_S:g} s", param="input")
    return seconds


def without_emoji(text: str) -> str:
    return emoji.replace_emoji(text, " ")


def without_markdown(text: str) -> str:
    """The words of a Markdown text, each block a paragraph. Numbers of a list and code stay;
    addresses of links go."""
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
    """HTML is text to it: what is written in <...> may be a break."""
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
