"""Which sequences run in the next step, and what a step's tokens mean for them.

A sequence waits until a slot and its pages are free, has its prompt computed in chunks, then
decodes a token in every step that it is part of, until it ends. Who is due first comes first,
everywhere: at the slots, at the prompts' share of a step, and at the rows of a step where there are
fewer than there are sequences. A CFG pair is one sequence, so it is admitted and run whole. Runs
without torch; knows nothing about models or messages.
"""

from bisect import insort
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from math import ceil, inf, sqrt
from typing import Protocol

from app.config import T3Settings
from app.core import FinishReason, SessionKey
from app.engine.t3.guards import is_looping
from app.engine.t3.kv_budget import PageBudget, Prefix, PrefixCache
from app.engine.t3.scheduled_chunk import (
    ScheduledChunk,
    advance,
    can_continue,
    chunk_of,
    ready_prefix,
    slot_of,
    start_of,
)
from app.engine.t3.sequence import Sequence, SequenceState


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends a sequence by itself. Source: upstream's two inference loops."""

    stop_token: int
    min_tokens: int  # turbo does not look at its first token: 1, else 0


class Memory(Protocol):
    """Who holds what the scheduler promises. Told once of each slot and prefix that falls free."""

    def release(self, slot: int) -> None: ...
    def forget(self, prefix: Prefix) -> None: ...


class Scheduler:
    def __init__(
        self,
        settings: T3Settings,
        ending: Ending,
        memory: Memory,
        clock: Callable[[], float],
        *,
        num_pages: int,
        free_tokens: int,
    ) -> None:
        """`free_tokens`: a step of so many takes twice as long as an empty one would, which does
        no more than read the weights. `clock` gives seconds."""
        self.num_slots = settings.slots
        self.pool = PageBudget(num_pages)
        self._settings = settings
        self._ending = ending
        self._memory = memory
        self._clock = clock
        self._free_tokens = free_tokens
        self._first_tokens = settings.first_group + settings.group  # of a first sound
        self.prefixes = PrefixCache(self.pool, settings.prefixes_kept, memory.forget)
        self._free_slots = list(reversed(range(settings.slots)))
        self._waiting: list[Sequence] = []  # who is due first is first
        self._running: list[Sequence] = []  # in order of admission
        self.num_rows = 0  # of the last schedule
        self._first_due_s = inf  # of those that ran or could have, in the last schedule

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        return len(self._running)

    @property
    def num_free(self) -> int:
        return len(self._free_slots)

    def late_s(self) -> float:
        """How late the most urgent sequence is now; 0 where none is."""
        due_s = self._first_due_s if self._running else inf
        if self._waiting:
            due_s = min(due_s, self._due_s(self._waiting[0]))
        return max(0.0, self._clock() - due_s)

    def live(self) -> Iterator[Sequence]:
        yield from self._running
        yield from self._waiting

    def add(self, sequence: Sequence) -> None:
        sequence.arrived_s = self._clock()
        insort(self._waiting, sequence, key=self._due_s)

    def sent(self, sequence: Sequence, num_tokens: int) -> None:
        """So many more of its codec ids have left."""
        sequence.num_sent += num_tokens
        if sequence.first_sent_s is None:
            sequence.first_sent_s = self._clock()

    def schedule(self) -> list[ScheduledChunk]:
        """A token of each sequence whose turn it is to decode, then prompts in what is left."""
        while self._can_admit():
            self._admit()
        decoding = self._whose_turn()
        work = [chunk_of(sequence, sequence.num_computed, 1) for sequence in decoding]
        num_rows = sum(sequence.num_rows for sequence in decoding)
        prompts = self._prompts(decoding, num_rows)
        self.num_rows = num_rows + sum(item.sequence.num_rows for item in prompts)
        work += prompts
        for item in work:
            advance(item)
        return work

    def postprocess(self, work: Seq[ScheduledChunk], tokens: Seq[int | None]) -> list[Sequence]:
        """Apply the tokens of a step, one per sampling work; None where the model's output was no
        distribution. Returns the sequences that ended."""
        sampled = [item.sequence for item in work if item.samples]
        ended = []
        for sequence, token in zip(sampled, tokens, strict=True):
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

    def fail(self, only: Sequence | None = None) -> list[Sequence]:
        """End everything with ERROR, or one sequence."""
        return self._end_all((s for s in self.live() if only in (None, s)), FinishReason.ERROR)

    def check_integrity(self) -> None:
        """Free + live == capacity, of slots and of pages, and nothing is in two places. Raises
        RuntimeError."""
        held = [slot_of(sequence) for sequence in self._running]
        if sorted(held + self._free_slots) != list(range(self.num_slots)):
            raise RuntimeError(f"slots {held} are held and {self._free_slots} are free")
        self.pool.check_integrity()
        self.prefixes.check_integrity(sum(s.prefix is not None for s in self._running))
        promised = sum(s.most_pages for s in self._running) + self.prefixes.num_pages
        if promised + self.pool.num_free != self.pool.capacity:
            raise RuntimeError(f"{promised} pages are needed, {self.pool.num_free} are free")
        if any(s.slot is not None or s.prefix is not None for s in self._waiting):
            raise RuntimeError("a waiting sequence holds a slot or a prefix")
        if any(sequence.finish is not None for sequence in self.live()):
            raise RuntimeError("an ended sequence is still live")

    # -- parts of schedule -----------------------------------------------------------------------

    def _due_s(self, sequence: Sequence) -> float:
        return sequence.due_s(self._settings.start_lead_s)

    def _can_admit(self) -> bool:
        """The first in the queue, or nobody: a small one that overtook it would do so for ever."""
        if not (self._waiting and self._free_slots):
            return False
        return self.prefixes.can_make_room(self._waiting[0].most_pages)

    def _admit(self) -> None:
        sequence = self._waiting.pop(0)
        self.prefixes.make_room(sequence.prefix_key, sequence.most_pages)
        self.pool.allocate(sequence, sequence.most_pages)
        if sequence.num_prefix:
            conditionals = sequence.request.conditionals
            sequence.prefix = self.prefixes.join(
                sequence.prefix_key, conditionals, sequence.num_prefix
            )
        sequence.slot = self._free_slots.pop()
        sequence.state = SequenceState.PREFILL
        self._running.append(sequence)

    def _whose_turn(self) -> list[Sequence]:
        """Those that decode in this step, in order of admission.

        Who has sound enough yields to who has not, be it in its prompt, and to nobody when all
        have. Where the rows do not suffice, who is due first has them.
        """
        enough_s = self._clock() + self._settings.max_lead_s
        due_s = {
            s: self._due_s(s)
            for s in self._running
            if s.can_decode or s.state is SequenceState.PREFILL
        }
        self._first_due_s = min(due_s.values(), default=inf)
        hungry = [s for s in due_s if due_s[s] <= enough_s]
        wanting = [s for s in hungry or due_s if s.can_decode]
        most = self._settings.max_rows
        if most is None or sum(s.num_rows for s in wanting) <= most:
            return wanting
        chosen = set()
        for sequence in sorted(wanting, key=due_s.__getitem__):
            if sequence.num_rows <= most:
                most -= sequence.num_rows
                chosen.add(sequence)
        return [sequence for sequence in wanting if sequence in chosen]

    def _prompts(self, decoding: Seq[Sequence], num_rows: int) -> list[ScheduledChunk]:
        """The next chunks of prompts beside those that decode, which have `num_rows`.

        A step takes as long as `free_tokens` + its tokens: what it does beside reading the weights
        grows with each token. So prompts may have `prefill_share` of that without them.
        """
        room = self._settings.prefill_tokens
        if num_rows:
            room = min(room, int(self._settings.prefill_share * (self._free_tokens + num_rows)))
        prompts = [s for s in self._running if s.state is SequenceState.PREFILL]
        work = []
        for sequence in self._not_too_many(sorted(prompts, key=self._due_s), decoding, num_rows):
            begins_with = ready_prefix(sequence)
            start = start_of(sequence)
            num_tokens = min(sequence.num_prompt - start, room // sequence.num_rows)
            if not num_tokens:
                break
            room -= num_tokens * sequence.num_rows
            work.append(chunk_of(sequence, start, num_tokens, begins_with))
        return work

    def _not_too_many(
        self, prompts: Seq[Sequence], decoding: Seq[Sequence], num_rows: int
    ) -> Iterator[Sequence]:
        """Those of `prompts` that are computed now, each asked for when those before have their
        work: no more begin than shall be on their way to their first sound together. Only who is
        wanted earlier keeps anybody from beginning, and only while it is part of the step."""
        starting = [s for s in decoding if len(s.tokens) < self._first_tokens]
        others = num_rows - sum(s.num_rows for s in starting)
        most = self._together(prompts, starting, others)
        ahead_s = [s.wanted_s for s in (*starting, *prompts) if s.num_computed]
        for sequence in prompts:
            if not can_continue(sequence):
                continue
            if not sequence.num_computed:
                if sum(wanted_s <= sequence.wanted_s for wanted_s in ahead_s) >= most:
                    continue
                ahead_s.append(sequence.wanted_s)
            yield sequence

    def _together(self, prompts: Seq[Sequence], starting: Seq[Sequence], others: int) -> float:
        """How many go to their first sound side by side, so that a burst is heard soonest.

        A step costs `base` (the weights, and the rows of `others`), and 1 for each token. Where n
        sequences, of p tokens of prompt and then d steps to the first sound, go k at a time, each
        k are heard k (p + d) + d base after those before; the mean is least at
        k² = n d base / (p + d). On a GPU, where a step costs its weights, that is all of them. And
        the vocoder has the first ones' sound to make while the next are computed.
        """
        waiting = [s for s in prompts if not s.num_computed]
        if not waiting:
            return inf
        num_tokens = sum((s.num_prompt - start_of(s)) * s.num_rows for s in waiting) / len(waiting)
        num_rows = sum(s.num_rows for s in waiting) / len(waiting)
        steps, base = self._first_tokens, self._free_tokens + others
        num = len(prompts) + len(starting)
        return ceil(sqrt(num * steps * base / (num_tokens + num_rows * steps)))

    def _finish_of(self, sequence: Sequence, token: int) -> FinishReason | None:
        sampling = sequence.request.sampling
        num_tokens = len(sequence.tokens)
        stops = token == self._ending.stop_token and num_tokens > self._ending.min_tokens
        if stops and not sampling.ignore_eos:
            return FinishReason.STOP
        loops = is_looping(sequence.tokens, sampling, self._settings.guards)
        return FinishReason.LENGTH if loops or num_tokens >= sampling.max_tokens else None

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
            self._memory.release(sequence.slot)
            self._free_slots.append(sequence.slot)
            self.pool.free(sequence)
            sequence.slot = None
        if sequence.prefix is not None:
            self.prefixes.leave(sequence.prefix, sequence)
            sequence.prefix = None
        sequence.state = SequenceState.ENDED
        sequence.finish = finish
