"""Markup that is open between two takes of a text: what the next take repeats, and reasoning, which
no take has. Pure."""

import re

from app.text.ssml import is_document

_FENCE = re.compile(r" {0,3}(```|~~~)")
_ROW_RULE = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_REASONING = re.compile(r"<(think|thinking|thought|reasoning)>\Z", re.IGNORECASE)
MAX_CLOSE_CHARS = len("</reasoning>")


class OpenMarkup:
    """Of one text. Knows SSML's document; and, where Markdown is read, code and tables."""

    def __init__(self, reads_markdown: bool) -> None:
        self._reads_markdown = reads_markdown
        self._begins = True
        self._is_ssml = False
        self._line = ""  # the last one, which may go on
        self._fence = ""
        self._num_columns = 0  # of the table that is open

    def before(self, take: str) -> str:
        """What the take repeats, so that it is read as in the whole text."""
        opened = "<speak>" if self._is_ssml else ""
        if self._begins and take.strip():
            self._begins, self._is_ssml = False, is_document(take)
        if self._reads_markdown:
            opened += f"{self._fence}\n" if self._fence else self._table()
            self._read_lines(take)
        return opened

    def _table(self) -> str:
        """Its head, without words."""
        if not self._num_columns:
            return ""
        return f"|{' |' * self._num_columns}\n|{'-|' * self._num_columns}\n"

    def _read_lines(self, take: str) -> None:
        *lines, self._line = (self._line + take).split("\n")
        for line in lines:
            self._read(line)

    def _read(self, line: str) -> None:
        fence = _FENCE.match(line)
        if self._fence:
            self._fence = "" if fence and fence[1] == self._fence else self._fence
        elif fence:
            self._fence = fence[1]
        elif not line.strip():
            self._num_columns = 0
        elif "|" in line and "-" in line and _ROW_RULE.fullmatch(line):
            self._num_columns = line.strip().strip("|").count("|") + 1


class Reasoning:
    """`<think>…</think>` while it arrives."""

    def __init__(self) -> None:
        self._close = ""  # the end that is waited for
        self._tail = ""

    def begin(self, text: str) -> str:
        """The text without the start of a block at its end."""
        opened = _REASONING.search(text)
        if opened is None:
            return text
        self._close, self._tail = f"</{opened[1].lower()}>", ""
        return text[: opened.start()]

    def takes(self, char: str) -> bool:
        """Whether the character belongs to a block."""
        if not self._close:
            return False
        self._tail = (self._tail + char.lower())[-MAX_CLOSE_CHARS:]
        if self._tail.endswith(self._close):
            self._close = ""
        return True
