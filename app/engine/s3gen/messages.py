"""What goes into the vocoder engine and what comes out of it.

Knows nothing about queues or threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.core import NUM_SPEECH_IDS, Fault, FinishReason, SessionKey, SpeechTokens
from app.engine.conditionals import S3GenConditionals
from app.engine.s3gen.grid import Cell
from app.engine.s3gen.ladders import Ladder
from app.word_marks import WordMark


@dataclass(frozen=True, slots=True)
class OpenSegment:
    """Begin a segment. `fade_in` is set on a request's first: upstream fades 40 ms in, so that
    nothing of the reference is heard. `is_told`: PlaybackBegins says when the session's playback
    begins; else it begins with the first sound."""

    key: SessionKey
    segment: int
    voice: str
    conditionals: S3GenConditionals
    seed: int
    fade_in: bool
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class PlaybackBegins:
    """The session's listener begins to hear its sound at `at_s`, by the engine's clock. Ignored if
    the session has ended."""

    key: SessionKey
    at_s: float


@dataclass(frozen=True, slots=True)
class UseCells:
    """From now on segments have cells of these sizes. Comes before the first segment."""

    ladder: Ladder


# SpeechTokens: the next tokens of an open segment. They are ignored if the segment has ended.
VocoderMessage = OpenSegment | SpeechTokens | PlaybackBegins | UseCells


@dataclass(frozen=True, slots=True)
class SegmentAudio:
    """Consecutive watermarked samples of one segment: 960 per token of a segment that has ended by
    itself, without its last token where the model mutes that."""

    key: SessionKey
    segment: int
    start: int  # index of pcm[0] in the segment, in samples
    pcm: NDArray[np.float32]
    num_tokens: int  # of the segment, voiced so far
    finish: FinishReason | None = None
    fault: Fault | None = None  # with ERROR alone
    words: tuple[WordMark, ...] = ()  # what T3 has told since the last part


class VocoderCall(NamedTuple):
    """One cell that ran, for the call log."""

    key: SessionKey
    segment: int
    cell: Cell
    started_s: float  # time.monotonic


def problem_of(tokens: SpeechTokens, known: Sequence[int], most: float) -> str | None:
    """Why these tokens cannot be voiced after the `known` ones; None: they can. A segment has at
    most `most` of them."""
    num_known = len(known)
    if tokens.start != num_known and tokens.ids:
        return f"tokens from {tokens.start} came where {num_known} was due"
    if num_known + len(tokens.ids) > most:
        return f"the segment has more than {most:g} tokens"
    if any(not 0 <= token < NUM_SPEECH_IDS for token in tokens.ids):
        return f"a speech id is not in 0..{NUM_SPEECH_IDS - 1}"
    return None
