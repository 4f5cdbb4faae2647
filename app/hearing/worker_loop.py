"""The loop of a recogniser's worker, the same in both hosts.

The abort mark overtakes the messages: the loop looks at it before each frame and after it. Knows
nothing about processes and sockets.
"""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from app.hearing.messages import (
    Abort,
    End,
    Failed,
    Final,
    Forget,
    Freed,
    FromWorker,
    Partial,
    Progress,
    Sound,
    ToWorker,
)
from app.hearing.recogniser import Recogniser
from app.hearing.sound import BYTES_PER_SAMPLE


class AbortMark(Protocol):
    """Set by the call, read by the worker."""

    @property
    def up_to(self) -> int: ...


class WorkerLoop:
    """Used by one thread."""

    def __init__(
        self, recogniser: Recogniser, mark: AbortMark, say: Callable[[FromWorker], None]
    ) -> None:
        self._recogniser = recogniser
        self._mark = mark
        self._say = say
        self._generation = 0  # of the open utterance, or of the last one
        self._failed = 0  # the last generation that failed
        self._freed = 0  # up to here
        self._num_samples = 0

    def run(self, messages: Iterator[ToWorker]) -> None:
        for message in messages:
            self.take(message)

    def take(self, message: ToWorker) -> None:
        self._free_aborted(self._mark.up_to)
        match message:
            case Sound(generation, pcm) if generation > max(self._freed, self._failed):
                self._guarded(generation, lambda: self._hear(generation, pcm))
            case End(generation) if generation > max(self._freed, self._failed):
                self._guarded(generation, lambda: self._end(generation))
            case Abort(up_to):
                self._free_aborted(up_to)
            case Forget(up_to):
                self._free_aborted(up_to)
                self._recogniser.forget()
        self._free_aborted(self._mark.up_to)

    def _hear(self, generation: int, pcm: bytes) -> None:
        if generation != self._generation:
            self._recogniser.abort()  # of an utterance whose end never came
            self._generation = generation
            self._num_samples = 0
        text = self._recogniser.accept(pcm)
        self._num_samples += len(pcm) // BYTES_PER_SAMPLE
        if self._mark.up_to >= generation:
            return
        self._say(Progress(generation, self._num_samples))
        if text is not None:
            self._say(Partial(generation, text))

    def _end(self, generation: int) -> None:
        is_open = generation == self._generation and self._recogniser.live()
        text = self._recogniser.final() if is_open else ""
        num_samples = self._num_samples if is_open else 0
        if self._mark.up_to < generation:
            self._say(Final(generation, num_samples, text))

    def _free_aborted(self, up_to: int) -> None:
        if up_to <= self._freed:
            return
        aborted_at_s = time.monotonic()
        if self._generation <= up_to:
            self._recogniser.abort()
        self._freed = up_to
        self._say(Freed(up_to, aborted_at_s, time.monotonic()))

    def _guarded(self, generation: int, work: Callable[[], None]) -> None:
        """An error of the recogniser fails the utterance, not the worker."""
        try:
            work()
        except (RuntimeError, ValueError, IndexError, TypeError, MemoryError) as error:
            self._failed = generation
            self._say(Failed(generation, f"{type(error).__name__}: {error}"))
            self._recogniser.abort()
