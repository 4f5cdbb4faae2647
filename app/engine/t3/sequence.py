"""One text segment on its way through T3: the message that starts it, and what becomes of it.

A `Sequence` is mutable and belongs to the engine's thread alone. Knows nothing about tensors: the
conditionals are only carried.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from app.core import NUM_SPEECH_IDS, TOKENS_PER_S, Fault, FinishReason, SamplingParams, SessionKey
from app.engine.t3.kv_budget import Prefix, PrefixKey, pages_of

if TYPE_CHECKING:  # the scheduler runs without torch
    from app.engine.conditionals import T3Conditionals


@dataclass(frozen=True, slots=True)
class AddSequence:
    """A segment for the token engine: `text_ids` are the tokenizer's, without start and stop."""

    key: SessionKey
    segment: int
    text_ids: tuple[int, ...]
    conditionals: "T3Conditionals"
    voice: str
    sampling: SamplingParams
    lead_s: float = 0.0  # when it is received, seconds of sound still play before it is wanted


class SequenceState(Enum):
    WAITING = auto()  # no slot yet
    PREFILL = auto()  # its prompt is being computed
    DECODE = auto()  # its prompt is computed, in the step in flight at the latest
    ENDED = auto()


@dataclass(slots=True, eq=False)
class Sequence:
    request: AddSequence
    num_rows: int  # 2 for a CFG pair, else 1
    num_prompt: int  # positions of the prompt, the same in each row
    num_prefix: int = 0  # of them, those that depend on voice and exaggeration alone
    least_tokens: int = 0  # drawn before the stop token may be
    state: SequenceState = SequenceState.WAITING
    slot: int | None = None
    prefix: Prefix | None = None  # where its first positions are shared
    arrived_s: float = 0.0  # by the scheduler's clock
    first_sent_s: float | None = None
    num_computed: int = 0  # positions whose keys and values are in memory, or will be
    tokens: list[int] = field(default_factory=list)  # as sampled, the stop token included
    codec_ids: list[int] = field(default_factory=list)  # those of them that the vocoder knows
    num_sent: int = 0  # of codec_ids
    finish: FinishReason | None = None
    fault: Fault | None = None  # with ERROR alone

    @property
    def key(self) -> SessionKey:
        return self.request.key

    @property
    def segment(self) -> int:
        return self.request.segment

    @property
    def prefix_key(self) -> PrefixKey:
        request = self.request
        exaggeration = request.sampling.exaggeration
        return PrefixKey(request.voice, exaggeration, id(request.conditionals))

    @property
    def most_pages(self) -> int:
        """What it may come to hold. The last token is never computed with."""
        longest = self.num_prompt + self.request.sampling.max_tokens - 1
        return pages_of(longest, self.num_rows)

    @property
    def wanted_s(self) -> float:
        """When its listener wants the first sound of it, by the scheduler's clock."""
        return self.arrived_s + self.request.lead_s

    def due_s(self, start_lead_s: float) -> float:
        """When its listener runs out of sound, by the scheduler's clock; its lead is what is left
        until then. Before its first delivery it is due when it came; after it, playback is taken
        to have begun then, `start_lead_s` later because the vocoder needs its time too. Constant
        between deliveries, so whoever waits is overtaken by nobody for ever."""
        if self.first_sent_s is None:
            return self.wanted_s
        began_s = max(self.first_sent_s + start_lead_s, self.wanted_s)
        return began_s + self.num_sent / TOKENS_PER_S

    @property
    def can_decode(self) -> bool:
        """Its prompt is computed, and not all of its tokens are drawn or about to be."""
        num_drawn = self.num_computed - self.num_prompt + 1
        return 0 < num_drawn < self.request.sampling.max_tokens

    @property
    def num_unsent(self) -> int:
        return len(self.codec_ids) - self.num_sent

    def append(self, token: int) -> None:
        self.tokens.append(token)
        if token < NUM_SPEECH_IDS:
            self.codec_ids.append(token)
