"""The one thread that touches a device and its scheduler; asyncio on the outside.

The world talks to the thread through one inbox (a deque and a condition) and hears from it through
one asyncio queue per segment. The inbox is emptied before every step, so a cancel is applied
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
from dataclasses import dataclass
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar

from app.core import SessionKey, StageStats
from app.engine.stream import EngineStream, ItemT
from app.errors import SynthesisFailed, Unavailable

log = logging.getLogger(__name__)


class Stopped(NamedTuple):
    """What a cancel found: `live` is False where the session had nothing left to stop."""

    live: bool
    num_tokens: int  # speech tokens generated (T3) or voiced (vocoder) for the session so far


MessageT = TypeVar("MessageT")
MessageT_contra = TypeVar("MessageT_contra", contravariant=True)


class Engine(Protocol[MessageT_contra, ItemT]):
    """Runs on the loop's thread only. No method blocks except `step`."""

    def receive(self, message: MessageT_contra) -> None:
        """Apply one message: a new segment, or more input for one."""

    def cancel(self, key: SessionKey, segment: int | None) -> Stopped:
        """Free every sequence of the session: its final items, with CANCELLED, are in the next
        step's output. Or one segment's, whose listener has left: nothing is said of it, for
        another may open the same segment at once. Nothing live: a no-op."""

    def has_work(self) -> bool: ...

    def step(self) -> list[ItemT]:
        """One step on the device, and what it produced, in order."""

    def abort(self) -> None:
        """After a fault, or at the end: free everything. May be called in any state."""

    def stats(self) -> StageStats: ...


Within = Callable[[Callable[[], None]], None]  # runs what it is given
Address = tuple[SessionKey, int]
CancelIsDue = Callable[[SessionKey, int], bool]


@dataclass(slots=True)
class _Cancel:
    key: SessionKey
    segment: int | None
    done: "Future[Stopped]"

    def answer(self, stopped: Stopped) -> None:
        if self.done.set_running_or_notify_cancel():  # False: whoever asked waits no more
            self.done.set_result(stopped)


class _Subscriber(Generic[ItemT]):
    """One segment's queue, on the event loop that opened it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.queue: asyncio.Queue[ItemT | None] = asyncio.Queue()  # None: the engine is gone


class EngineLoop(Generic[MessageT, ItemT]):
    """Owns `engine` from `start` to `close`; every other method may be called from any thread."""

    def __init__(
        self,
        engine: Engine[MessageT, ItemT],
        name: str,
        within: Within = lambda run: run(),
        *,
        step_timeout_s: float = math.inf,
    ) -> None:
        self._engine = engine
        self._name = name
        self._inbox: deque[MessageT | _Cancel] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._failure: BaseException | None = None
        self._step_timeout_s = step_timeout_s
        self._step_began_s: float | None = None
        self._subscribers: dict[Address, _Subscriber[ItemT]] = {}
        self._stats = engine.stats()
        self._thread = threading.Thread(target=self._live, args=(within,), name=name, daemon=True)

    def start(self) -> None:
        sys.setswitchinterval(0.0005)  # a cancel's way between threads has five waits of it
        self._thread.start()

    def close(self, timeout_s: float = 10.0) -> None:
        """Fail what is live, stop the thread, and wait for it."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def failure(self) -> BaseException | None:
        """The fault that ended the thread, if any. A failed loop refuses new work."""
        return self._failure

    @property
    def hung(self) -> SynthesisFailed | None:
        """Said of a step that has been running for longer than `step_timeout_s`: nothing can end
        it but the end of its process. None again where it ends after all."""
        began_s = self._step_began_s
        if began_s is None or (taken_s := time.monotonic() - began_s) <= self._step_timeout_s:
            return None
        return SynthesisFailed(f"a step of the {self._name} engine has run for {taken_s:.0f} s")

    def stats(self) -> StageStats:
        """As of the end of the last step."""
        return self._stats

    def send(self, message: MessageT) -> None:
        """More input for a segment that is already open."""
        self._post(message)

    def open(self, key: SessionKey, segment: int, first: MessageT) -> EngineStream[ItemT]:
        """Start a segment with its first message and hear its items until the one with a finish.

        Call it on the event loop that will listen. Raises Unavailable if the engine is gone.
        """
        subscriber: _Subscriber[ItemT] = _Subscriber(asyncio.get_running_loop())
        with self._wake:
            if (key, segment) in self._subscribers:
                raise SynthesisFailed(f"segment {segment} of {key.session_id} is already open")
            self._refuse_if_gone()
            self._subscribers[key, segment] = subscriber
            self._inbox.append(first)
            self._wake.notify()
        return EngineStream(self._name, subscriber.queue, partial(self._leave, (key, segment)))

    def _leave(self, address: Address, finished: bool) -> None:
        with self._wake:
            self._subscribers.pop(address, None)
            if not (finished or self._closing):
                self._inbox.append(_Cancel(*address, Future()))
                self._wake.notify()

    async def cancel(self, key: SessionKey) -> Stopped:
        """Stop every segment of the session; returns once the thread has done so."""
        request = _Cancel(key, None, Future())
        try:
            self._post(request)
        except Unavailable:
            return Stopped(live=False, num_tokens=0)
        return await asyncio.wrap_future(request.done)

    def cancel_is_due(self, key: SessionKey, segment: int) -> bool:
        """A cancel of the segment has come and waits for the end of the step that is running. For
        an engine whose steps are long enough to be worth leaving."""
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
            self._inbox.append(message)
            self._wake.notify()

    def _refuse_if_gone(self) -> None:
        if self._failure is not None or self._closing:
            raise Unavailable(f"the {self._name} engine has stopped")

    # -- on the engine's thread ------------------------------------------------------------------

    def _live(self, within: Within) -> None:
        try:
            within(self._run)
        except Exception as fault:
            log.exception("the %s engine failed", self._name)
            self._end(fault)
        else:
            self._end(None)

    def _run(self) -> None:
        while self._wait_for_work():
            self._drain_inbox()
            items = self._step() if self._engine.has_work() else []
            self._stats = self._engine.stats()
            self._deliver(items)

    def _step(self) -> list[ItemT]:
        self._step_began_s = time.monotonic()
        try:
            return self._engine.step()
        finally:
            self._step_began_s = None

    def _wait_for_work(self) -> bool:
        with self._wake:
            while not (self._closing or self._inbox or self._engine.has_work()):
                self._wake.wait()
            return not self._closing

    def _drain_inbox(self) -> None:
        while True:
            with self._wake:
                if not self._inbox:
                    return
                message = self._inbox.popleft()
            if isinstance(message, _Cancel):
                stopped = Stopped(live=False, num_tokens=0)
                try:
                    stopped = self._engine.cancel(message.key, message.segment)
                finally:  # also where the engine raised: nobody waits for ever
                    message.answer(stopped)
            else:
                self._engine.receive(message)

    def _deliver(self, items: list[ItemT]) -> None:
        with self._wake:
            pairs = [
                (subscriber, item)
                for item in items
                if (subscriber := self._subscribers.get((item.key, item.segment))) is not None
            ]
        self._put(pairs)

    def _put(self, pairs: "Sequence[tuple[_Subscriber[ItemT], ItemT | None]]") -> None:
        """One wake-up per event loop and step, however many items."""
        batches: dict[asyncio.AbstractEventLoop, list[tuple[_Subscriber[ItemT], ItemT | None]]] = {}
        for pair in pairs:
            batches.setdefault(pair[0].loop, []).append(pair)
        for loop, batch in batches.items():
            try:
                loop.call_soon_threadsafe(_put_all, batch)
            except RuntimeError:  # the listener's event loop has closed: nobody is left to hear
                log.warning("dropped %d items of a closed event loop", len(batch))

    def _end(self, fault: BaseException | None) -> None:
        """Answer whoever still waits, whatever state the engine is in."""
        with self._wake:
            self._failure = fault
            self._closing = True
            messages, self._inbox = self._inbox, deque()
            waiting = list(self._subscribers.values())
        for message in messages:
            if isinstance(message, _Cancel):
                message.answer(Stopped(live=False, num_tokens=0))
        self._put([(subscriber, None) for subscriber in waiting])
        self._engine.abort()
        self._stats = self._engine.stats()


def _put_all(pairs: "list[tuple[_Subscriber[ItemT], ItemT | None]]") -> None:
    for subscriber, item in pairs:
        subscriber.queue.put_nowait(item)
