"""Markdown in a text: which replacements leave its words. Pure functions.

markdown-it reads the text. It says what the words are, but not where in the text they stand: they
are looked up again, from left to right. Each block becomes a paragraph; the cells of a row are
divided by commas. The numbers of a list and code stay; addresses of links are removed.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.helpers import parseLinkDestination, parseLinkTitle
from markdown_it.token import Token

from app.text.blocks import is_ended
from app.text.spans import Replacement

PARAGRAPH = "\n\n"
MAX_LINK_CHARS = 500
_BREAKS = ("softbreak", "hardbreak")
_LINE_END = re.compile(r"\r\n?|\n")  # as CommonMark has it: no other character ends a line
_PARAGRAPH_END = re.compile(rf"(?:(?>{_LINE_END.pattern})){{2}}")
_SPACE = re.compile(r"\s")


def without_markdown(text: str) -> list[Replacement]:
    finder = _Finder(text)
    for token in _markdown().parse(text):
        match token.type:
            case "list_item_open" if token.info:
                finder.go_to_line(token.map)
                finder.begin(PARAGRAPH)
                finder.say_number(token.info, token.markup)
            case "list_item_open" | "heading_open" | "tr_open":
                finder.go_to_line(token.map)
                finder.begin(PARAGRAPH)
            case "paragraph_open":
                finder.go_to_line(token.map)
                finder.begin("" if token.hidden else PARAGRAPH)
            case "td_open" | "th_open":
                finder.begin(", ")
            case "fence" | "code_block":
                finder.go_to_line(token.map, skipped=int(token.type == "fence"))
                finder.begin(PARAGRAPH)
                finder.say_lines(token.content.rstrip("\n"))
            case "inline":
                for child, follows in _with_next(token.children or []):
                    _say(finder, child, follows)
    return finder.replacements()


def open_link_at(text: str) -> int | None:
    """Where a link begins that may go on behind the end of `text`."""
    found = _OPEN_LINK.search(text, max(0, len(text) - MAX_LINK_CHARS))
    return None if found is None else found.start()


def stray_marks(text: str) -> list[Replacement]:
    """Marks of emphasis and code without their partners: a text in pieces may be cut within."""
    return [Replacement(*each.span(), "") for each in _STRAY.finditer(text)]


def _with_next(tokens: list[Token]) -> Iterator[tuple[Token, Token | None]]:
    return zip(tokens, [*tokens[1:], None], strict=False)


def _say(finder: "_Finder", token: Token, follows: Token | None) -> None:
    if token.type == "link_close" and token.info != "auto":
        finder.skip_address()
    elif token.type == "text_special":
        finder.say(token.content, written=token.markup)
    elif token.type in ("em_open", "strong_open"):
        finder.begin_emphasis()
    elif token.type in ("em_close", "strong_close"):
        finder.end_emphasis(follows.content if follows is not None else "")
    elif token.type in _BREAKS:
        finder.end_line()
    elif token.type == "image":
        finder.say(token.content)
        finder.skip_address()
    elif token.content:
        finder.say(token.content)


_OPEN_LINK = re.compile(r"!?\[[^\[\]]{0,200}(?:\](?:\([^()]*)?)?\Z")
_STRAY = re.compile(
    r"(?<![\w*])\*{1,3}(?=[^\s*])|(?<=[^\s*])\*{1,3}(?![\w*])|(?<!\w)__(?=\w)|(?<=\w)__(?!\w)|`+"
)


class _Words(NamedTuple):
    border: str  # said before them
    start: int
    end: int
    words: str


class _Finder:
    """Where in the text its words stand, found from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0  # everything before it is found
        self._lines = [0, *(end.end() for end in _LINE_END.finditer(text))]
        self._said: list[_Words] = []
        self._border = ""  # before the next words
        self._is_numbered = False  # the number of an item is said, and none of its words
        self._is_direction = False  # the emphasis stands where a sentence begins

    def go_to_line(self, lines: list[int] | None, skipped: int = 0) -> None:
        if lines is not None and lines[0] + skipped < len(self._lines):
            self._at = max(self._at, self._lines[lines[0] + skipped])

    def begin(self, border: str) -> None:
        if self._said and self._border != PARAGRAPH and not self._is_numbered:
            self._border = border

    def begin_emphasis(self) -> None:
        self._is_direction = self._border == PARAGRAPH or not self._said or self._is_ended()

    def end_emphasis(self, follows: str) -> None:
        """A stage direction is a sentence of its own."""
        if self._is_direction and not self._is_ended() and follows[:1].isspace():
            self._border = "." if follows.lstrip()[:1].isupper() else ""
        self._is_direction = False

    def _is_ended(self) -> bool:
        return bool(self._said) and is_ended(self._said[-1].words)

    def say_number(self, number: str, mark: str) -> None:
        self.say(f"{number}. ", written=f"{number}{mark}")
        self._is_numbered = True

    def say(self, words: str, written: str | None = None) -> None:
        """`written`: as the text has them."""
        start = self._text.find(written or words, self._at)
        if start >= 0 and not _PARAGRAPH_END.search(self._text, self._at, start):
            self._add(start, start + len(written or words), words)
            return
        for char in words:  # some marks stand within
            start = self._find(char)
            self._add(start, min(start + 1, len(self._text)), char)

    def end_line(self) -> None:
        found = _LINE_END.search(self._text, self._at)
        start, end = found.span() if found else (self._at, self._at)
        self._add(start, end, "\n")

    def _find(self, char: str) -> int:
        """Code that goes over the end of a line has a space there."""
        if char.isspace():
            found = _SPACE.search(self._text, self._at)
            return found.start() if found else self._at
        start = self._text.find(char, self._at)
        return start if start >= 0 else self._at

    def say_lines(self, words: str) -> None:
        for line in words.splitlines(keepends=True):
            self.say(line)

    def _add(self, start: int, end: int, words: str) -> None:
        self._said.append(_Words(self._border, start, end, words))
        self._border, self._is_numbered = "", False
        self._at = end

    def skip_address(self) -> None:
        """Behind `](address "title")` or `][name]`."""
        text = self._text
        close = text.find("]", self._at)
        if close < 0:
            return
        if text[close + 1 : close + 2] == "[":
            end = text.find("]", close + 2)
            self._at = end + 1 if end >= 0 else close + 1
        elif text[close + 1 : close + 2] == "(":
            self._at = self._behind_address(close + 2)
        else:
            self._at = close + 1

    def _behind_address(self, at: int) -> int:
        text = self._text
        address = parseLinkDestination(text, self._behind_space(at), len(text))
        at = self._behind_space(address.pos if address.ok else at)
        title = parseLinkTitle(text, at, len(text))
        at = self._behind_space(title.pos if title.ok else at)
        return at + 1 if text[at : at + 1] == ")" else at

    def _behind_space(self, at: int) -> int:
        while self._text[at : at + 1].isspace():
            at += 1
        return at

    def replacements(self) -> list[Replacement]:
        """What stands between the words becomes their border."""
        found: list[Replacement] = []
        at, length = 0, len(self._text)
        for said in [*self._said, _Words("", length, length, "")]:
            for start, end, words in (
                (at, said.start, said.border),
                (said.start, said.end, said.words),
            ):
                if self._text[start:end] != words:
                    found.append(Replacement(start, end, words))
            at = said.end
        return found


@cache
def _markdown() -> MarkdownIt:
    """HTML counts as text, because <break/> is a pause. Escapes and entities stay tokens of their
    own, with the way that they are written."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    return markdown.disable("text_join")
