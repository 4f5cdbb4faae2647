"""One text segment on its way through T3: what it asks for, and what becomes of it.

A `Sequence` is mutable. From the moment the engine receives it, the engine's thread alone may use
it. Knows nothing about tensors: the conditionals are only carried.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf
from typing import TYPE_CHECKING

from app.core import NUM_SPEECH_IDS, TOKENS_PER_S, Fault, FinishReason, SamplingParams, SessionKey
from app.engine.checkpoint.text_origins import WordIds
from app.engine.t3.kv_budget import Prefix, PrefixKey, pages_of
from app.engine.t3.spoken_words import SpokenWords

if TYPE_CHECKING:  # the scheduler runs without torch
    from app.engine.conditionals import T3Conditionals


@dataclass(frozen=True, slots=True)
class SequenceRequest:
    """A segment for the token engine. `text_ids` are the tokenizer's ids; the start and stop ids
    are added by the model."""

    key: SessionKey
    segment: int
    text_ids: tuple[int, ...]
    conditionals: "T3Conditionals"
    sampling: SamplingParams
    lead_s: float = 0.0  # on arrival: seconds of sound that still play before this one is wanted
    heard_per_s: float = TOKENS_PER_S  # tokens that its listener plays in a second
    most_ahead_s: float = inf  # it rests while its tokens are this far ahead of playback
    words: tuple[WordIds, ...] = ()  # in `text_ids`; (): they get no marks


class SequenceState(Enum):
    WAITING = auto()  # no slot yet
    PREFILL = auto()  # its prompt is being computed
    DECODE = auto()  # its prompt is computed, or will be by the step in flight
    ENDED = auto()


@dataclass(slots=True, eq=False)
class Sequence:
    request: SequenceRequest
    num_rows: int  # 2 for a CFG pair, else 1
    num_prompt: int  # positions of the prompt, the same in each row
    num_prefix: int = 0  # the first of them, which depend on voice and exaggeration alone
    text_start: int = 0  # the position of its first text id
    least_tokens: int = 0  # tokens that are drawn before the stop token may be drawn
    state: SequenceState = SequenceState.WAITING
    slot: int | None = None
    prefix: Prefix | None = None  # the shared one, where its first positions are shared
    arrived_s: float = 0.0  # by the scheduler's clock
    first_sent_s: float | None = None
    num_computed: int = 0  # positions whose keys and values are cached, or will be by this step
    tokens: list[int] = field(default_factory=list)  # as sampled, with the stop token
    codec_ids: list[int] = field(default_factory=list)  # the tokens that the vocoder knows
    words: SpokenWords | None = None  # None: nothing tells when its words are said
    num_sent: int = 0  # of codec_ids
    finish: FinishReason | None = None
    fault: Fault | None = None  # set only where `finish` is ERROR

    @property
    def key(self) -> SessionKey:
        return self.request.key

    @property
    def segment(self) -> int:
        return self.request.segment

    @property
    def num_text(self) -> int:
        return len(self.request.text_ids)

    @property
    def prefix_key(self) -> PrefixKey:
        return PrefixKey(self.request.conditionals, self.request.sampling.exaggeration)

    @property
    def most_pages(self) -> int:
        """Its worst case. The last token is never fed back, so it takes no position."""
        longest = self.num_prompt + self.request.sampling.max_tokens - 1
        return pages_of(longest, self.num_rows)

    @property
    def wanted_s(self) -> float:
        """When its listener wants its first sound, by the scheduler's clock."""
        return self.arrived_s + self.request.lead_s

    def due_s(self, start_lead_s: float) -> float:
        """When its listener runs out of sound, by the scheduler's clock.

        Before its first delivery the sequence is due when it is wanted. After that, playback is
        taken to have begun `start_lead_s` after the first delivery, because the vocoder needs time
        too. The value is constant between deliveries, so a waiting sequence is not overtaken for
        ever.
        """
        if self.first_sent_s is None:
            return self.wanted_s
        began_s = max(self.first_sent_s + start_lead_s, self.wanted_s)
        return began_s + self.num_sent / self.request.heard_per_s

    def room_s(self, now_s: float, start_lead_s: float) -> float:
        """How much more of it may be made now, in the listener's seconds; 0 or less: nothing. The
        tokens of the step in flight count as made."""
        sent_s = now_s if self.first_sent_s is None else self.first_sent_s
        ahead_s = max(sent_s + start_lead_s, self.wanted_s) - now_s
        return self.request.most_ahead_s - ahead_s - self.num_drawn / self.request.heard_per_s

    @property
    def num_drawn(self) -> int:
        """Tokens that are drawn or about to be."""
        return max(0, self.num_computed - self.num_prompt + 1)

    @property
    def can_decode(self) -> bool:
        """Its prompt is computed, and a token is left that is neither drawn nor about to be."""
        return 0 < self.num_drawn < self.request.sampling.max_tokens

    @property
    def can_prefill(self) -> bool:
        """False while another prompt is computing the prefix that this one can begin with."""
        prefix = self.prefix
        return prefix is None or prefix.is_ready or prefix.author in (None, self)

    @property
    def begins_with(self) -> Prefix | None:
        """The ready prefix that its prompt can begin with; None once the prompt has begun."""
        prefix = self.prefix
        return prefix if prefix is not None and prefix.is_ready and not self.num_computed else None

    @property
    def prompt_start(self) -> int:
        """The first position of its prompt that is still to be computed."""
        prefix = self.begins_with
        return self.num_computed if prefix is None else prefix.num_positions

    @property
    def num_unsent(self) -> int:
        return len(self.codec_ids) - self.num_sent

    def append(self, token: int, text_id: int) -> None:
        """`text_id`: the number of the text id that the token says."""
        self.tokens.append(token)
        if token < NUM_SPEECH_IDS:
            if self.words is not None:
                self.words.reach(len(self.codec_ids), text_id)
            self.codec_ids.append(token)
