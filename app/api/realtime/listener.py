"""The hearing of one realtime session: orders in, events out, over one or several Ears.

Sound and orders take one queue, so that a commit comes behind the sound before it, and the task
that receives from the socket waits for nobody. Hearing that is lost is opened again with the next
sound. Knows nothing about events of the socket.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from app.api.realtime.observer import RealtimeObserver
from app.errors import ServeError, Unavailable
from app.hearing.ears import (
    Aborted,
    Ears,
    Hearing,
    HearingEvent,
    SoundFormat,
    SpeechBegan,
    SpeechEnded,
    TurnDetection,
)
from app.sessions.tasks import cancel_and_wait

log = logging.getLogger(__name__)

OPEN_S = 10.0  # in which the hearing of a call begins
AGAIN_S = 1.0  # after a loss, the sound of this time is dropped
MAX_WAITING_S = 30.0  # of sound that waits for the hearing


@dataclass(frozen=True, slots=True)
class HearingLost:
    """Every utterance that has no text yet will have none."""

    error: ServeError


@dataclass(frozen=True, slots=True)
class Committed:
    """By an order, and not by a voice that ended."""

    generation: int


@dataclass(frozen=True, slots=True)
class NothingToCommit:
    event_id: str | None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The utterance that was open has no end. Events of it that were on their way may follow."""

    generation: int


@dataclass(frozen=True, slots=True)
class Cleared:
    """By an order."""


@dataclass(frozen=True, slots=True)
class Configured:
    sound: SoundFormat
    turns: TurnDetection | None


@dataclass(frozen=True, slots=True)
class _Sound:
    content: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class _Commit:
    event_id: str | None


@dataclass(frozen=True, slots=True)
class _Clear:
    pass


@dataclass(frozen=True, slots=True)
class _Mark:
    reached: asyncio.Event


@dataclass(frozen=True, slots=True)
class _Lost:
    ears: Ears
    error: BaseException


Obeyed = Committed | NothingToCommit | Forgotten | Cleared  # what an order has led to
Heard = HearingEvent | HearingLost | Obeyed
OnHeard = Callable[[Heard], Awaitable[None]]
Charge = Callable[[float], Awaitable[None]]  # before these seconds are heard
_Order = _Sound | _Commit | _Clear | Configured | _Mark | _Lost


class Listener:
    """Generations of the events are those of the session: an Ears that is opened again goes on
    counting."""

    def __init__(
        self,
        hearing: Hearing,
        configured: Configured,
        *,
        on_heard: OnHeard,
        charge: Charge,
        observer: RealtimeObserver,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_heard` raises nothing."""
        self._hearing = hearing
        self._configured = configured
        self._on_heard = on_heard
        self._charge = charge
        self._observer = observer
        self._now = now
        self._orders: asyncio.Queue[_Order] = asyncio.Queue()
        self._ears: Ears | None = None
        self._following: asyncio.Task[None] | None = None
        self._base = 0  # generations of the Ears before this one
        self._newest = 0
        self._heard_s = 0.0  # by this Ears
        self._begins_s = 0.0  # the sound that was heard by the Ears before this one
        self._waiting_s = 0.0  # of sound in `_orders`
        self._silent_until_s = 0.0  # sound is dropped, because the hearing was lost

    # Orders. None of these waits.

    def sound(self, content: bytes, seconds: float) -> None:
        """Raises Unavailable where more waits for the hearing than may wait."""
        if self._waiting_s > MAX_WAITING_S:
            message = f"{MAX_WAITING_S:g} s of sound wait for the hearing"
            raise Unavailable(message, code="hearing_late")
        self._waiting_s += seconds
        self._orders.put_nowait(_Sound(content, seconds))

    def commit(self, event_id: str | None) -> None:
        self._orders.put_nowait(_Commit(event_id))

    def clear(self) -> None:
        self._orders.put_nowait(_Clear())

    def configure(self, configured: Configured) -> None:
        self._orders.put_nowait(configured)

    async def obeyed(self) -> None:
        """Returns when every order so far is obeyed."""
        mark = _Mark(asyncio.Event())
        self._orders.put_nowait(mark)
        await mark.reached.wait()

    async def abort(self, up_to: int) -> Aborted:
        """As Ears.abort."""
        if self._ears is None:
            return Aborted(up_to)
        aborted = await self._ears.abort(max(0, up_to - self._base))
        return Aborted(up_to, aborted.aborted_at_s, aborted.freed_at_s)

    async def run(self) -> None:
        """Obeys the orders until it is cancelled."""
        try:
            while True:
                order = await self._orders.get()
                try:
                    await self._obey(order)
                except ServeError as error:
                    await self._lose(error)
        finally:
            await self._close()

    async def _obey(self, order: _Order) -> None:
        match order:
            case _Sound():
                self._waiting_s -= order.seconds
                await self._hear(order)
            case _Commit():
                await self._commit(order)
            case _Clear():
                await self._clear()
            case Configured():
                self._configured = order
                if self._ears is not None:
                    await self._forget(await self._ears.configure(order.sound, order.turns))
            case _Mark(reached):
                reached.set()
            case _Lost(ears, error) if ears is self._ears:
                raise error

    async def _hear(self, sound: _Sound) -> None:
        if self._now() < self._silent_until_s:
            return
        await self._charge(sound.seconds)
        self._observer.heard(sound.seconds)
        ears = await self._opened()
        await ears.accept(sound.content)
        self._heard_s += sound.seconds

    async def _commit(self, order: _Commit) -> None:
        generation = None if self._ears is None else await self._ears.commit()
        if generation is not None:
            self._newest = max(self._newest, generation + self._base)
            await self._on_heard(Committed(generation + self._base))
        else:
            await self._on_heard(NothingToCommit(order.event_id))

    async def _clear(self) -> None:
        try:
            if self._ears is not None:
                await self._forget(await self._ears.clear())
        finally:
            await self._on_heard(Cleared())

    async def _forget(self, generation: int | None) -> None:
        if generation is not None:
            await self._on_heard(Forgotten(generation + self._base))

    async def _opened(self) -> Ears:
        if self._ears is None:
            configured = self._configured
            try:
                async with asyncio.timeout(OPEN_S):
                    opened = await self._hearing.open_call(configured.sound, configured.turns)
            except TimeoutError:
                message = f"the hearing did not begin within {OPEN_S:g} s"
                raise Unavailable(message, code="hearing_unavailable") from None
            self._ears = opened
            following = self._following = asyncio.ensure_future(self._follow(opened))
            following.add_done_callback(partial(self._followed, opened))
        return self._ears

    async def _follow(self, ears: Ears) -> None:
        """Raises where the hearing is lost."""
        async for event in ears.events():
            placed = self._placed(event)
            self._newest = max(self._newest, placed.generation)
            await self._on_heard(placed)
        raise Unavailable("the hearing has ended", code="hearing_lost")

    def _followed(self, ears: Ears, following: "asyncio.Task[None]") -> None:
        if not following.cancelled() and (error := following.exception()) is not None:
            self._orders.put_nowait(_Lost(ears, error))

    def _placed(self, event: HearingEvent) -> HearingEvent:
        """On the session's own count of utterances and sound."""
        generation = event.generation + self._base
        match event:
            case SpeechBegan():
                began_s = event.began_s + self._begins_s
                noticed_s = event.noticed_s + self._begins_s
                return replace(event, generation=generation, began_s=began_s, noticed_s=noticed_s)
            case SpeechEnded():
                ended_s = event.ended_s + self._begins_s
                noticed_s = event.noticed_s + self._begins_s
                return replace(event, generation=generation, ended_s=ended_s, noticed_s=noticed_s)
        return replace(event, generation=generation)

    async def _lose(self, error: ServeError) -> None:
        log.warning("the hearing of a session was lost: %s", error.message)
        await self._close()
        self._silent_until_s = self._now() + AGAIN_S
        await self._on_heard(HearingLost(error))

    async def _close(self) -> None:
        ears, following = self._ears, self._following
        self._ears = self._following = None
        self._base = self._newest
        self._begins_s += self._heard_s
        self._heard_s = 0.0
        if following is not None:
            await cancel_and_wait(following)
        if ears is not None:
            with suppress(ServeError):
                await ears.aclose()
