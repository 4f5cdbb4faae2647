"""Which sequences run in the next step, and what the tokens of a step mean for them.

A sequence waits until a slot and its pages are free. Then its prompt is computed in chunks. Then it
decodes one token in each step that it is part of, until it ends. The sequence with the earliest
deadline comes first everywhere: at the slots, at the prompts' share of a step, and at the rows of a
step that has fewer rows than there are sequences. A sequence that is as far ahead of its listener
as it may be rests in its slot. A CFG pair is one sequence: its two rows are admitted and run
together. Runs without torch. Knows nothing about models or messages.
"""

from bisect import insort
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from itertools import chain
from math import inf

from app.core import FinishReason, SessionKey
from app.engine.t3.guards import is_babbling, is_looping
from app.engine.t3.kv_budget import KVCache, PageBudget, PrefixCache
from app.engine.t3.prefill import prompts_to_compute
from app.engine.t3.scheduled_chunk import ScheduledChunk, StepResult, advance, chunk_of, slot_of
from app.engine.t3.sequence import Sequence, SequenceState
from app.engine.t3.step_cost import StepCost
from app.t3_settings import T3Settings

SHORTEST_PAUSE_S = 1e-3  # a shorter one is not worth a sleep
_MOST_ROWS = 2  # of a sequence: one token of a prompt in each


@dataclass(frozen=True, slots=True)
class Ending:
    """How a sequence ends by itself. Source: upstream's two inference loops."""

    stop_token: int
    min_tokens: int  # turbo does not look at its first token: 1, else 0


class Scheduler:
    def __init__(
        self,
        settings: T3Settings,
        ending: Ending,
        kv_cache: KVCache,
        clock: Callable[[], float],
        *,
        num_pages: int,
        cost: StepCost,
    ) -> None:
        """`cost` may be set again, once the machine is measured. `clock` gives seconds."""
        self.cost = cost
        self.num_slots = settings.slots
        self.budget = PageBudget(num_pages)
        self.prefixes = PrefixCache(self.budget, settings.prefixes_kept, kv_cache.forget)
        self._settings = settings
        self._ending = ending
        self._kv_cache = kv_cache
        self._clock = clock
        self._free_slots = list(reversed(range(settings.slots)))
        self._waiting: list[Sequence] = []  # by deadline, the earliest first
        self._running: list[Sequence] = []  # in order of admission
        self.num_rows = 0  # of the last schedule
        self._is_resting = False  # the last schedule found nothing that may run

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        return len(self._running)

    @property
    def num_free(self) -> int:
        return len(self._free_slots)

    def due_s(self) -> float:
        """When the most urgent sequence is due; inf where there is none."""
        return min(map(self._due_s, chain(self._running, self._waiting[:1])), default=inf)

    def live(self) -> Iterator[Sequence]:
        yield from self._running
        yield from self._waiting

    def add(self, sequence: Sequence) -> None:
        sequence.arrived_s = self._clock()
        insort(self._waiting, sequence, key=self._due_s)

    def count_sent(self, sequence: Sequence, num_tokens: int) -> None:
        """`num_tokens` more of its codec ids have left the engine."""
        sequence.num_sent += num_tokens
        if sequence.first_sent_s is None:
            sequence.first_sent_s = self._clock()

    def schedule(self) -> list[ScheduledChunk]:
        """One token of each sequence that decodes now, then chunks of prompts in the room left."""
        while self._can_admit():
            self._admit()
        decoding = self._choose_decoding()
        chunks = [chunk_of(sequence, sequence.num_computed, 1) for sequence in decoding]
        chunks += self._prompt_chunks(decoding)
        self.num_rows = sum(chunk.sequence.num_rows for chunk in chunks)
        for chunk in chunks:
            advance(chunk)
        self._is_resting = not chunks
        return chunks

    def pause_s(self) -> float:
        """How long there is nothing to do, though sequences run; 0 unless all of them rest. The
        pause lasts until one has room for a group: they run side by side then, where each would run
        alone, token by token."""
        if not (self._is_resting and self._running):
            return 0.0
        now_s, settings = self._clock(), self._settings
        pauses_s = (
            settings.group / s.request.heard_per_s - s.room_s(now_s, settings.start_lead_s)
            for s in self._running
        )
        pause_s = min(pauses_s)
        return pause_s if pause_s > SHORTEST_PAUSE_S else 0.0

    def postprocess(self, result: StepResult) -> None:
        """Give each sequence its token, and end it where that is its last."""
        for chunk, token, text_id in zip(*result, strict=True):
            sequence = chunk.sequence
            if token is None:
                self._end(sequence, FinishReason.ERROR)
                continue
            sequence.append(token, text_id)
            finish = self._finish_of(sequence, token)
            if finish is not None:
                self._end(sequence, finish)

    def cancel(self, key: SessionKey, segment: int | None) -> list[Sequence]:
        """End all sequences of a session, or those of one segment. Returns the ended ones: none
        where nothing was live."""
        return self._end_all(
            (s for s in self.live() if s.key == key and segment in (None, s.segment)),
            FinishReason.CANCELLED,
        )

    def fail(self, only: Sequence | None = None) -> list[Sequence]:
        """End every sequence with ERROR, or `only` one."""
        return self._end_all((s for s in self.live() if only in (None, s)), FinishReason.ERROR)

    def check_integrity(self) -> None:
        """Free + live == capacity, for slots and for pages, and nothing is in two places. Raises
        RuntimeError."""
        held = [slot_of(sequence) for sequence in self._running]
        if sorted(held + self._free_slots) != list(range(self.num_slots)):
            raise RuntimeError(f"slots {held} are held and {self._free_slots} are free")
        self.budget.check_integrity()
        self.prefixes.check_integrity(sum(s.prefix is not None for s in self._running))
        promised = sum(s.most_pages for s in self._running) + self.prefixes.num_pages
        if promised + self.budget.num_free != self.budget.capacity:
            raise RuntimeError(f"{promised} pages are needed, {self.budget.num_free} are free")
        if any(s.slot is not None or s.prefix is not None for s in self._waiting):
            raise RuntimeError("a waiting sequence holds a slot or a prefix")
        if any(sequence.finish is not None for sequence in self.live()):
            raise RuntimeError("an ended sequence is still live")

    # -- parts of schedule -----------------------------------------------------------------------

    def _due_s(self, sequence: Sequence) -> float:
        return sequence.due_s(self._settings.start_lead_s)

    def _can_admit(self) -> bool:
        """Only the first in the queue may be admitted: smaller ones could overtake it for ever."""
        if not (self._waiting and self._free_slots):
            return False
        return self.prefixes.can_make_room(self._waiting[0].most_pages)

    def _admit(self) -> None:
        sequence = self._waiting.pop(0)
        self.prefixes.make_room(sequence.prefix_key, sequence.most_pages)
        self.budget.allocate(sequence, sequence.most_pages)
        if sequence.num_prefix:
            sequence.prefix = self.prefixes.join(sequence.prefix_key, sequence.num_prefix)
        sequence.slot = self._free_slots.pop()
        sequence.state = SequenceState.PREFILL
        self._running.append(sequence)

    def _choose_decoding(self) -> list[Sequence]:
        """The sequences that decode in this step, in order of admission.

        A sequence is urgent where its deadline is at most `max_lead_s` away. While any sequence is
        urgent, decoding or in its prompt, only urgent ones decode. Where the step has too few rows,
        the earliest deadlines have them. A sequence without room rests.
        """
        now_s = self._clock()
        enough_s = now_s + self._settings.max_lead_s
        due_s = {
            s: self._due_s(s)
            for s in self._running
            if s.state is SequenceState.PREFILL
            or (s.can_decode and s.room_s(now_s, self._settings.start_lead_s) > 0)
        }
        urgent = [s for s in due_s if due_s[s] <= enough_s]
        decoding = [s for s in urgent or due_s if s.can_decode]
        num_left = self._settings.max_rows
        if num_left is None or sum(s.num_rows for s in decoding) <= num_left:
            return decoding
        chosen = set()
        for sequence in sorted(decoding, key=due_s.__getitem__):
            if sequence.num_rows <= num_left:
                num_left -= sequence.num_rows
                chosen.add(sequence)
        return [sequence for sequence in decoding if sequence in chosen]

    def _prompt_chunks(self, decoding: Seq[Sequence]) -> list[ScheduledChunk]:
        """The next chunks of prompts, by deadline, beside the sequences that decode.

        Prompts may add `prefill_share` of the time that the step would take without them. While no
        sequence that decodes has made its first sound, prompts have what they may add up to the
        first of these sounds at once: that sound is not later, and theirs are sooner. One token of
        a prompt may always be added.
        """
        settings = self._settings
        num_left, first_tokens = settings.prefill_tokens, settings.first_group + settings.group
        if decoding:
            num_steps = max(1, first_tokens - max(len(s.tokens) for s in decoding))
            step_s = self.cost.decode_s(sum(s.num_rows for s in decoding))
            free_s = settings.prefill_share * step_s * num_steps
            num_left = min(num_left, max(_MOST_ROWS, int(free_s / self.cost.token_s)))
        prompts = [s for s in self._running if s.state is SequenceState.PREFILL]
        chunks = []
        for sequence in prompts_to_compute(
            sorted(prompts, key=self._due_s),
            decoding,
            cost=self.cost,
            first_tokens=first_tokens,
        ):
            start = sequence.prompt_start
            num_tokens = min(sequence.num_prompt - start, num_left // sequence.num_rows)
            if not num_tokens:
                break
            num_left -= num_tokens * sequence.num_rows
            chunks.append(chunk_of(sequence, start, num_tokens))
        return chunks

    def _finish_of(self, sequence: Sequence, token: int) -> FinishReason | None:
        sampling = sequence.request.sampling
        num_tokens = len(sequence.tokens)
        stops = token == self._ending.stop_token and num_tokens > self._ending.min_tokens
        if stops and not sampling.ignore_eos:
            return FinishReason.STOP
        guards = self._settings.guards
        if is_looping(sequence.tokens, sampling, guards) or num_tokens >= sampling.max_tokens:
            return FinishReason.LENGTH
        babbles = not sampling.ignore_eos and is_babbling(sequence.words, guards)
        return FinishReason.BABBLE if babbles else None

    def _end_all(self, sequences: Iterator[Sequence], finish: FinishReason) -> list[Sequence]:
        ended = list(sequences)
        for sequence in ended:
            self._end(sequence, finish)
        return ended

    def _end(self, sequence: Sequence, finish: FinishReason) -> None:
        """The one place where a sequence ends. Its slot, its pages and its prefix fall free."""
        if sequence.state is SequenceState.WAITING:
            self._waiting.remove(sequence)
        else:
            self._running.remove(sequence)
        if sequence.slot is not None:
            self._kv_cache.release(sequence.slot)
            self._free_slots.append(sequence.slot)
            self.budget.free(sequence)
            sequence.slot = None
        if sequence.prefix is not None:
            self.prefixes.leave(sequence.prefix, sequence)
            sequence.prefix = None
        sequence.state = SequenceState.ENDED
        sequence.finish = finish
