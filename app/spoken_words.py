"""The words of a speech on the clock of its sound, and what a listener heard of them.

The sound is that which the caller's decoder gives: pauses, `speed` and the silence that an encoder
puts before the first sample are counted. Places are those of the caller's text. A leaf: imports
nothing of ours, and every room may import it. Knows nothing about tokens or sessions.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """What stands at `char_start:char_end` of the caller's text. Words that are said for one
    written form (`$5`) are one."""

    text: str
    char_start: int
    char_end: int
    start_ms: float
    end_ms: float | None  # None: not known yet
    is_estimate: bool = False  # spread by the length of the text


@dataclass(frozen=True, slots=True)
class Transcript:
    """The words whose sound was sent, in order."""

    text: str  # the caller's, as it was sent
    words: tuple[SpokenWord, ...]
    audio_ms: float  # of the sound that was sent

    @property
    def is_estimate(self) -> bool:
        return any(word.is_estimate for word in self.words)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a listener has heard of the caller's text."""

    text: str  # the caller's, from its first character to the end of the last word that was heard
    last_word: str | None  # as the caller wrote it; None: no word was heard
    char_end: int  # in the caller's text: the length of `text`
    audio_ms: float  # of the sound that was heard
    is_estimate: bool  # the time of a word beside the cut was spread by the length of the text


class WordAccount(Protocol):
    """Of a session that is being spoken."""

    def transcript(self, num_samples: int, *, is_end: bool) -> Transcript:
        """Once the session has ended. `num_samples` of its sound were sent, before pauses and
        `speed`. `is_end`: they are all, and the pause at the end was sent too."""
