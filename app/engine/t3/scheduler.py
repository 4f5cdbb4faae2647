"""Which sequences run in the next step, and what a step's tokens mean for them.

First come, first served: a sequence waits until a slot is free, has its prompt computed (one
sequence at a time, at most `prefill_chunk` positions a step), then decodes one token in every step
until it ends. A CFG pair is one sequence in one slot, so it is admitted whole. Runs without torch;
knows nothing about models or messages.
"""

from collections import deque
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Seq
from dataclasses import dataclass

from app.core import FinishReason, SessionKey
from app.engine.t3.sequence import Sequence, SequenceState


@dataclass(frozen=True, slots=True)
class Work:
    """One sequence's part of a step: positions `start` to `start + num_tokens`, in each row."""

    sequence: Sequence
    slot: int
    start: int
    num_tokens: int
    samples: bool  # False for all but the last chunk of a prompt


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends a sequence by itself. Source: upstream's two inference loops."""

    stop_token: int
    min_tokens: int  # turbo does not look at its first token: 1, else 0


class Scheduler:
    def __init__(
        self,
        num_slots: int,
        ending: Ending,
        release: Callable[[int], None],
        prefill_chunk: int,
    ) -> None:
        """`release` is told each slot that falls free, once."""
        self.num_slots = num_slots
        self._ending = ending
        self._release = release
        self._prefill_chunk = prefill_chunk
        self._free_slots = list(reversed(range(num_slots)))
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []  # in order of admission

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        return len(self._running)

    @property
    def num_free(self) -> int:
        return len(self._free_slots)

    def live(self) -> Iterator[Sequence]:
        yield from self._running
        yield from self._waiting

    def add(self, sequence: Sequence) -> None:
        self._waiting.append(sequence)

    def schedule(self) -> list[Work]:
        """One token for every decoding sequence, and the next chunk of the oldest prompt."""
        if self._can_admit():
            self._admit()
        work = [
            Work(sequence, _slot(sequence), sequence.num_computed, 1, samples=True)
            for sequence in self._running
            if sequence.state is SequenceState.DECODE
        ]
        prefill = next((s for s in self._running if s.state is SequenceState.PREFILL), None)
        if prefill is not None:
            left = prefill.num_unprefilled
            num_tokens = min(left, self._prefill_chunk)
            start = prefill.num_computed
            work.append(Work(prefill, _slot(prefill), start, num_tokens, num_tokens == left))
        return work

    def postprocess(self, work: Seq[Work], tokens: Seq[int | None]) -> list[Sequence]:
        """Apply the tokens of a step, one per sampling work; None where the model's output was no
        distribution. Returns the sequences that ended."""
        for item in work:
            item.sequence.num_computed += item.num_tokens
        sampled = [item.sequence for item in work if item.samples]
        ended = []
        for sequence, token in zip(sampled, tokens, strict=True):
            sequence.state = SequenceState.DECODE
            if token is not None:
                sequence.append(token)
            finish = FinishReason.ERROR if token is None else self._finish_of(sequence, token)
            if finish is not None:
                self._end(sequence, finish)
                ended.append(sequence)
        return ended

    def cancel(self, key: SessionKey, segment: int | None) -> list[Sequence]:
        """End a session's sequences, or one of them, wherever they are. Nothing live: a no-op."""
        return self._end_all(
            (s for s in self.live() if s.key == key and segment in (None, s.segment)),
            FinishReason.CANCELLED,
        )

    def fail(self) -> list[Sequence]:
        """End everything with ERROR."""
        return self._end_all(self.live(), FinishReason.ERROR)

    def check_integrity(self) -> None:
        """Free + live == capacity, and nothing is in two places. Raises RuntimeError."""
        held = [_slot(sequence) for sequence in self._running]
        if sorted(held + self._free_slots) != list(range(self.num_slots)):
            raise RuntimeError(f"slots {held} are held and {self._free_slots} are free")
        if any(sequence.slot is not None for sequence in self._waiting):
            raise RuntimeError("a waiting sequence holds a slot")
        if any(sequence.finish is not None for sequence in self.live()):
            raise RuntimeError("an ended sequence is still live")

    def _can_admit(self) -> bool:
        """One prompt at a time: a second would wait for the first to be computed anyway."""
        return (
            bool(self._waiting)
            and bool(self._free_slots)
            and not any(s.state is SequenceState.PREFILL for s in self._running)
        )

    def _admit(self) -> None:
        sequence = self._waiting.popleft()
        sequence.slot = self._free_slots.pop()
        sequence.state = SequenceState.PREFILL
        self._running.append(sequence)

    def _finish_of(self, sequence: Sequence, token: int) -> FinishReason | None:
        sampling = sequence.request.sampling
        num_tokens = len(sequence.tokens)
        stops = token == self._ending.stop_token and num_tokens > self._ending.min_tokens
        if stops and not sampling.ignore_eos:
            return FinishReason.STOP
        return FinishReason.LENGTH if num_tokens >= sampling.max_tokens else None

    def _end_all(self, sequences: Iterator[Sequence], finish: FinishReason) -> list[Sequence]:
        ended = list(sequences)
        for sequence in ended:
            self._end(sequence, finish)
        return ended

    def _end(self, sequence: Sequence, finish: FinishReason) -> None:
        """The one place where a sequence ends and what it holds falls free."""
        if sequence.state is SequenceState.WAITING:
            self._waiting.remove(sequence)
        else:
            self._running.remove(sequence)
        if sequence.slot is not None:
            self._release(sequence.slot)
            self._free_slots.append(sequence.slot)
            sequence.slot = None
        sequence.state = SequenceState.ENDED
        sequence.finish = finish


def _slot(sequence: Sequence) -> int:
    if sequence.slot is None:
        raise RuntimeError(f"{sequence.key} segment {sequence.segment} runs without a slot")
    return sequence.slot
