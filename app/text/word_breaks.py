"""Words in scripts without spaces, by ICU's rules and dictionaries. Pure functions.

ICU has dictionaries for Chinese, Japanese, Thai, Lao, Khmer and Burmese, and rules for Tibetan.
"""

import re
from collections.abc import Iterator

from icu4py.breakers import LineBreaker, WordBreaker

from app.text.word_borders import NO_SPACES

_NO_SPACES = re.compile(f"[{NO_SPACES}\u30a0-\u30ff]")
_SURROGATE = re.compile("[\ud800-\udfff]")  # ICU takes no half of a pair
_LOCALE = "en"  # the dictionaries go by script


def last_break(text: str, max_chars: int) -> int | None:
    """The last border of a word in 1..max_chars where a line may end too, near that end of the
    range. None: the text has spaces there, or no border."""
    start = max_chars * 2 // 3
    if not _NO_SPACES.search(text, start, max_chars + 1):
        return None
    window = text[: max_chars + 40]  # a word needs its own end to be found
    words = {end for _, end in _parts(WordBreaker, window)}
    lines = {end for _, end in _parts(LineBreaker, window)}
    return max((end for end in words & lines if start <= end <= max_chars), default=None)


def _parts(kind: type[WordBreaker | LineBreaker], text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each part. (icu4py 1.2.0's own `segments` counts UTF-16 code units.)"""
    at = 0
    for part in kind(_SURROGATE.sub("\ufffd", text), _LOCALE):
        yield at, at + len(part)
        at += len(part)


def words(text: str) -> list[tuple[int, int]]:
    """Start and end of each word: parted by spaces, and by a dictionary where a script has none.
    A mark belongs to the word before it."""
    found: list[tuple[int, int]] = []
    for token in re.finditer(r"\S+", text):
        if _NO_SPACES.search(token[0]):
            at = token.start()
            found += _joined(text, [(at + a, at + b) for a, b in _parts(WordBreaker, token[0])])
        else:
            found += _joined(text, [token.span()])
    return found


def _joined(text: str, parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without parts that have no letter or digit: they belong to a neighbour."""
    found: list[tuple[int, int]] = []
    start = parts[0][0]
    for a, b in parts:
        if any(char.isalnum() for char in text[a:b]):
            found.append((start, b))
            start = b
        elif found:
            found[-1] = (found[-1][0], b)
            start = b
    return found
