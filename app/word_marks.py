"""Where the words of a text lie: in the text of their segment, in its speech tokens, in the sound.

A word is named by its segment and its number in it, counted from 0 in the order of the text. A
leaf: imports nothing of ours, and every room may import it. Knows nothing about sessions or clocks.
"""

from dataclasses import dataclass
from typing import NamedTuple

LEAST_TOKENS = 0.5  # that a word lasts, though one token may pass two words: 20 ms


class WordSpan(NamedTuple):
    """The characters `start:end` of the segment's text, with the marks that belong to the word.
    The spans of a segment are in order and do not overlap."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class WordMark:
    """A word in the speech tokens of its segment, T3 -> vocoder. A later mark of the same word
    takes the place of an earlier one. Positions are tokens of 40 ms from the segment's first, and
    need not be whole."""

    word: int
    start_token: float
    end_token: float | None = None  # None: not known yet
    is_estimate: bool = False  # spread by the length of the text; else read from T3's attention


@dataclass(frozen=True, slots=True)
class WordTime:
    """A word in the sound of its session, vocoder -> client. A later one of the same word takes the
    place of an earlier one. Positions are samples at 24 kHz, counted as AudioChunk.start: pauses
    are not in them, and `speed` is not applied."""

    segment: int
    word: int
    start: int
    end: int | None = None  # None: not known yet
    is_estimate: bool = False
