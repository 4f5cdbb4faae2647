"""One text segment on its way through T3: the message that starts it, and what becomes of it.

A `Sequence` is mutable and belongs to the engine's thread alone. Knows nothing about tensors: the
conditionals are only carried.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from app.core import NUM_SPEECH_IDS, FinishReason, SamplingParams, SessionKey

if TYPE_CHECKING:  # the scheduler runs without torch
    from app.engine.voices import T3Conditionals


@dataclass(frozen=True, slots=True)
class AddSequence:
    """A segment for the token engine: `text_ids` are the tokenizer's, without start and stop."""

    key: SessionKey
    segment: int
    text_ids: tuple[int, ...]
    conditionals: "T3Conditionals"
    voice: str
    sampling: SamplingParams


class SequenceState(Enum):
    WAITING = auto()  # no slot yet
    PREFILL = auto()  # its prompt is being computed
    DECODE = auto()  # one token in every step
    ENDED = auto()


@dataclass(slots=True, eq=False)
class Sequence:
    request: AddSequence
    num_rows: int  # 2 for a CFG pair, else 1
    num_prompt: int  # positions of the prompt, the same in each row
    state: SequenceState = SequenceState.WAITING
    slot: int | None = None
    num_computed: int = 0  # positions whose keys and values are in memory
    tokens: list[int] = field(default_factory=list)  # as sampled, the stop token included
    codec_ids: list[int] = field(default_factory=list)  # those of them that the vocoder knows
    num_sent: int = 0  # of codec_ids
    finish: FinishReason | None = None

    @property
    def key(self) -> SessionKey:
        return self.request.key

    @property
    def segment(self) -> int:
        return self.request.segment

    @property
    def num_unprefilled(self) -> int:
        return max(0, self.num_prompt - self.num_computed)

    @property
    def num_unsent(self) -> int:
        return len(self.codec_ids) - self.num_sent

    def append(self, token: int) -> None:
        self.tokens.append(token)
        if token < NUM_SPEECH_IDS:
            self.codec_ids.append(token)
