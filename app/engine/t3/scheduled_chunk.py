"""What passes between the scheduler and the runner: chunks go out, results come back.

Runs without torch.
"""

from collections.abc import Sequence as Seq
from dataclasses import dataclass
from typing import NamedTuple

from app.engine.t3.kv_budget import Prefix
from app.engine.t3.sequence import Sequence, SequenceState


@dataclass(frozen=True, slots=True)
class ScheduledChunk:
    """One sequence's part of a step: positions `start` to `start + num_tokens`, in each row."""

    sequence: Sequence
    slot: int
    start: int
    num_tokens: int
    samples: bool  # False for every chunk of a prompt but its last
    begins_with: Prefix | None = None  # must be in the slot before: positions 0 to `start`
    completes: Prefix | None = None  # must be kept after

    @property
    def is_decode(self) -> bool:
        return self.start >= self.sequence.num_prompt


class StepResult(NamedTuple):
    """Sampled tokens that have reached the host. Every sequence in it is live."""

    chunks: Seq[ScheduledChunk]  # those that sample
    tokens: Seq[int | None]  # one per chunk; None where the logits made no distribution
    text_ids: Seq[int]  # the text id that each token says, by its number in the text


NO_RESULT = StepResult((), (), ())


def chunk_of(sequence: Sequence, start: int, num_tokens: int) -> ScheduledChunk:
    """Makes the sequence the author of a prefix that is not ready."""
    end = start + num_tokens
    prefix, completes = sequence.prefix, None
    if prefix is not None and not prefix.is_ready:
        prefix.author = sequence
        completes = prefix if prefix.num_positions <= end else None
    return ScheduledChunk(
        sequence,
        slot_of(sequence),
        start,
        num_tokens,
        samples=end >= sequence.num_prompt,
        begins_with=sequence.begins_with,
        completes=completes,
    )


def advance(chunk: ScheduledChunk) -> None:
    """Treat the chunk as done: the next step may be scheduled before its tokens are known."""
    chunk.sequence.num_computed = chunk.start + chunk.num_tokens
    if chunk.samples:
        chunk.sequence.state = SequenceState.DECODE
    if chunk.completes is not None:
        chunk.completes.is_ready, chunk.completes.author = True, None


def slot_of(sequence: Sequence) -> int:
    if sequence.slot is None:
        raise RuntimeError(f"{sequence.key} segment {sequence.segment} runs without a slot")
    return sequence.slot
