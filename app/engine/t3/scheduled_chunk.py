"""One sequence's part of a step, and what that does to the sequence and the prefix it begins with.

Runs without torch.
"""

from dataclasses import dataclass

from app.engine.t3.kv_budget import Prefix
from app.engine.t3.sequence import Sequence, SequenceState


@dataclass(frozen=True, slots=True)
class ScheduledChunk:
    """One sequence's part of a step: positions `start` to `start + num_tokens`, in each row."""

    sequence: Sequence
    slot: int
    start: int
    num_tokens: int
    samples: bool  # False for all but the last chunk of a prompt
    begins_with: Prefix | None = None  # to be in memory before: positions 0 to `start`
    completes: Prefix | None = None  # to be kept after


def can_continue(sequence: Sequence) -> bool:
    """Who could begin with a prefix that another prompt is computing waits for it."""
    prefix = sequence.prefix
    return prefix is None or prefix.is_ready or prefix.author in (None, sequence)


def ready_prefix(sequence: Sequence) -> Prefix | None:
    """What a prompt that has not begun may begin with."""
    prefix = sequence.prefix
    return prefix if prefix is not None and prefix.is_ready and not sequence.num_computed else None


def start_of(sequence: Sequence) -> int:
    """Where what is left of its prompt begins."""
    prefix = ready_prefix(sequence)
    return sequence.num_computed if prefix is None else prefix.num_positions


def chunk_of(
    sequence: Sequence, start: int, num_tokens: int, begins_with: Prefix | None = None
) -> ScheduledChunk:
    end = start + num_tokens
    prefix, completes = sequence.prefix, None
    if prefix is not None and not prefix.is_ready:
        prefix.author = sequence
        completes = prefix if prefix.num_positions <= end else None
    samples = end >= sequence.num_prompt
    return ScheduledChunk(
        sequence, slot_of(sequence), start, num_tokens, samples, begins_with, completes
    )


def advance(item: ScheduledChunk) -> None:
    """As if it had run: a next step may be scheduled before this one's tokens are known."""
    item.sequence.num_computed = item.start + item.num_tokens
    if item.samples:
        item.sequence.state = SequenceState.DECODE
    if item.completes is not None:
        item.completes.is_ready, item.completes.author = True, None


def slot_of(sequence: Sequence) -> int:
    if sequence.slot is None:
        raise RuntimeError(f"{sequence.key} segment {sequence.segment} runs without a slot")
    return sequence.slot
