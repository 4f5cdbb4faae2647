"""The one thread that touches a device and its scheduler, and its asyncio interface.

Callers put messages into one inbox (a deque and a condition). Each segment's items come back
through one asyncio queue. The thread empties the inbox before every step, so a cancel is applied
within one step whatever the engine is doing. Knows nothing about tokens or sound.
"""

import asyncio
import logging
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar

from app.core import SessionKey, StageStats
from app.engine.stream import EngineStream, ItemT, SegmentKey
from app.errors import SynthesisFailed, Unavailable

log = logging.getLogger(__name__)

_CLOSE_S = 10.0  # a step that hangs is not waited for


class Stopped(NamedTuple):
    """What a cancel found."""

    live: bool  # False: the session had nothing left to stop
    num_tokens: int  # speech tokens generated (T3) or voiced (vocoder) for the session so far


NOTHING_STOPPED = Stopped(live=False, num_tokens=0)
MessageT = TypeVar("MessageT")
MessageT_contra = TypeVar("MessageT_contra", contravariant=True)


class Engine(Protocol[MessageT_contra, ItemT]):
    """Runs on the loop's thread only. No method blocks except `step`."""

    def receive(self, message: MessageT_contra) -> None:
        """Apply one message: a new segment, or more input for one."""

    def cancel(self, key: SessionKey, segment: int | None) -> Stopped:
        """Free the sequences of the session, or of one of its segments. A no-op where nothing is
        live. A cancelled session's final items, with CANCELLED, are in the next step's output. A
        single segment is cancelled when its listener has left: it gets no item, because another
        listener may open the same segment at once."""

    def has_work(self) -> bool: ...

    def pause_s(self) -> float: ...  # how long no step is of use, though there is work

    def step(self) -> list[ItemT]:
        """One step on the device, and what it produced, in order."""

    def abort(self) -> None:
        """Free everything, after an error or at the end. May be called in any state."""

    def stats(self) -> StageStats: ...  # without its lateness

    def due_s(self) -> float:
        """When the most urgent work is due, by the loop's clock; inf where there is none."""


RunThread = Callable[[Callable[[], None]], None]  # calls what it is given, as the thread's work
CancelIsDue = Callable[[SessionKey, int], bool]


@dataclass(slots=True)
class _Cancel:
    key: SessionKey
    segment: int | None
    done: "Future[Stopped]"

    def answer(self, stopped: Stopped) -> None:
        if self.done.set_running_or_notify_cancel():  # False: its caller has stopped waiting
            self.done.set_result(stopped)


class _Subscriber(Generic[ItemT]):
    """One segment's queue, on the event loop that opened it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.queue: asyncio.Queue[ItemT | None] = asyncio.Queue()  # None: the engine is gone


class EngineLoop(Generic[MessageT, ItemT]):
    """Owns `engine` from `start` to `close`. Every other method may be called from any thread."""

    def __init__(
        self,
        engine: Engine[MessageT, ItemT],
        name: str,
        run_thread: RunThread = lambda work: work(),
        *,
        step_timeout_s: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds, and is the engine's."""
        self._engine = engine
        self._name = name
        self._inbox: deque[MessageT | _Cancel] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._failure: BaseException | None = None
        self._clock = clock
        self._inbox_since_s = math.inf  # when the oldest message came; inf: the inbox is empty
        self._due_s = math.inf  # as of the last look at the engine
        self._step_timeout_s = step_timeout_s
        self._step_began_s: float | None = None
        self._subscribers: dict[SegmentKey, _Subscriber[ItemT]] = {}
        self._stats = engine.stats()
        self._thread = threading.Thread(
            target=self._run_to_end, args=(run_thread,), name=name, daemon=True
        )

    def start(self) -> None:
        sys.setswitchinterval(0.0005)  # a cancel waits for this interval five times on its way
        self._thread.start()

    def close(self) -> None:
        """Fail what is live, stop the thread, and wait some seconds for it."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)

    @property
    def failure(self) -> BaseException | None:
        """The error that ended the thread, if any. A failed loop refuses new work."""
        return self._failure

    @property
    def hung(self) -> SynthesisFailed | None:
        """An error while a step has been running for longer than `step_timeout_s`. Only the end of
        its process is sure to end such a step. None again if the step ends after all."""
        began_s = self._step_began_s
        if began_s is None or (taken_s := self._clock() - began_s) <= self._step_timeout_s:
            return None
        return SynthesisFailed(f"a step of the {self._name} engine has run for {taken_s:.0f} s")

    def stats(self) -> StageStats:
        """The counts as of the end of the last step. The lateness is of now, so that it grows
        while a step takes long, and while the thread gets no core to see a message."""
        due_s = min(self._due_s, self._inbox_since_s)
        return replace(self._stats, late_s=max(0.0, self._clock() - due_s))

    def send(self, message: MessageT) -> None:
        """More input for a segment that is already open."""
        self._post(message)

    def open(self, key: SessionKey, segment: int, first: MessageT) -> EngineStream[ItemT]:
        """Start a segment with its first message and return the stream of its items.

        Call it on the event loop that will listen. Raises Unavailable if the engine is gone.
        """
        segment_key = SegmentKey(key, segment)
        subscriber: _Subscriber[ItemT] = _Subscriber(asyncio.get_running_loop())
        with self._wake:
            if segment_key in self._subscribers:
                raise SynthesisFailed(f"segment {segment} of {key.session_id} is already open")
            self._refuse_if_gone()
            self._subscribers[segment_key] = subscriber
            self._put_in(first)
        return EngineStream(self._name, subscriber.queue, partial(self._leave, segment_key))

    def _leave(self, segment_key: SegmentKey, finished: bool) -> None:
        with self._wake:
            self._subscribers.pop(segment_key, None)
            if not (finished or self._closing):
                self._put_in(_Cancel(*segment_key, Future()))

    async def cancel(self, key: SessionKey) -> Stopped:
        """Stop every segment of the session. Returns once the thread has done so."""
        request = _Cancel(key, None, Future())
        try:
            self._post(request)
        except Unavailable:
            return NOTHING_STOPPED
        return await asyncio.wrap_future(request.done)

    def cancel_is_due(self, key: SessionKey, segment: int) -> bool:
        """Whether a cancel of the segment waits for the end of the running step. An engine with
        long steps asks this in the middle of a step, to leave it early."""
        with self._wake:
            return any(
                isinstance(message, _Cancel)
                and message.key == key
                and message.segment in (None, segment)
                for message in self._inbox
            )

    def _post(self, message: MessageT | _Cancel) -> None:
        with self._wake:
            self._refuse_if_gone()
            self._put_in(message)

    def _put_in(self, message: MessageT | _Cancel) -> None:
        if not self._inbox:
            self._inbox_since_s = self._clock()
        self._inbox.append(message)
        self._wake.notify()

    def _refuse_if_gone(self) -> None:
        if self._failure is not None or self._closing:
            raise Unavailable(f"the {self._name} engine has stopped")

    # -- on the engine's thread ------------------------------------------------------------------

    def _run_to_end(self, run_thread: RunThread) -> None:
        try:
            run_thread(self._run)
        except Exception as error:  # the thread's outermost frame: every listener must be told
            log.exception("the %s engine failed", self._name)
            self._end(error)
        else:
            self._end(None)

    def _run(self) -> None:
        while self._wait_for_work():
            if self._inbox:
                self._drain_inbox()
                self._due_s = self._engine.due_s()
            items = self._step() if self._engine.has_work() else []
            self._stats, self._due_s = self._engine.stats(), self._engine.due_s()
            self._deliver(items)

    def _step(self) -> list[ItemT]:
        self._step_began_s = self._clock()
        try:
            return self._engine.step()
        finally:
            self._step_began_s = None

    def _wait_for_work(self) -> bool:
        with self._wake:
            while not (self._closing or self._inbox):
                pause_s = self._engine.pause_s() if self._engine.has_work() else None
                if pause_s == 0:
                    break
                self._wake.wait(pause_s)
            return not self._closing

    def _drain_inbox(self) -> None:
        while True:
            with self._wake:
                if not self._inbox:
                    self._inbox_since_s = math.inf
                    return
                message = self._inbox.popleft()
            if isinstance(message, _Cancel):
                stopped = NOTHING_STOPPED
                try:
                    stopped = self._engine.cancel(message.key, message.segment)
                finally:  # also where the engine raised: its caller must not wait for ever
                    message.answer(stopped)
            else:
                self._engine.receive(message)

    def _deliver(self, items: list[ItemT]) -> None:
        with self._wake:
            found = [(self._subscribers.get(SegmentKey(i.key, i.segment)), i) for i in items]
        self._put([(subscriber, item) for subscriber, item in found if subscriber is not None])

    def _put(self, pairs: "Sequence[tuple[_Subscriber[ItemT], ItemT | None]]") -> None:
        """Wakes each event loop once, whatever the number of its items."""
        batches: dict[asyncio.AbstractEventLoop, list[tuple[_Subscriber[ItemT], ItemT | None]]] = {}
        for pair in pairs:
            batches.setdefault(pair[0].loop, []).append(pair)
        for loop, batch in batches.items():
            try:
                loop.call_soon_threadsafe(_put_all, batch)
            except RuntimeError:  # the event loop has closed, and its listeners with it
                log.warning("dropped %d items of a closed event loop", len(batch))

    def _end(self, error: BaseException | None) -> None:
        """Answer every cancel and end every stream, whatever state the engine is in."""
        with self._wake:
            self._failure, self._closing = error, True
            messages, self._inbox = self._inbox, deque()
            self._inbox_since_s = self._due_s = math.inf
            waiting = list(self._subscribers.values())
        for message in messages:
            if isinstance(message, _Cancel):
                message.answer(NOTHING_STOPPED)
        self._put([(subscriber, None) for subscriber in waiting])
        self._engine.abort()
        self._stats = self._engine.stats()


def _put_all(pairs: "list[tuple[_Subscriber[ItemT], ItemT | None]]") -> None:
    for subscriber, item in pairs:
        subscriber.queue.put_nowait(item)
