"""The responses of a session: at most one is active, and one that stops may still be ending.

Knows nothing about what was heard, nor about the client's events.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from math import inf

from app.api.realtime.outbox import EventOutbox
from app.api.realtime.parts import RealtimeParts
from app.api.realtime.response import OpenItem, Ready, Reason, Response, ResponseOrder
from app.api.realtime.spoken_item import Place, SpokenItem
from app.api.services import Services
from app.barge_in import BargeInTimes
from app.conversation.items import Conversation, Message, Part
from app.errors import BadRequest, ServeError
from app.hearing.cancel_chain import ChainReport, ChainSteps, cancel_chain
from app.hearing.ears import Aborted

log = logging.getLogger(__name__)

MAX_SPOKEN = 64  # items whose sound may still be cut
Spawn = Callable[[Coroutine[object, object, None]], "asyncio.Task[None]"]


@dataclass(frozen=True, slots=True)
class BargeIn:
    """A voice that interrupts. Times are those of the monotonic clock."""

    began_at_s: float
    noticed_at_s: float
    abort: Callable[[], Awaitable[Aborted]]  # what was heard before the voice
    listen: Callable[[], Awaitable[object]]  # returns when the recogniser hears the voice


class Responses:
    def __init__(
        self,
        conversation: Conversation,
        outbox: EventOutbox,
        services: Services,
        parts: RealtimeParts,
        *,
        open_item: OpenItem,
        spawn: Spawn,
        ended: Callable[[], None],
    ) -> None:
        """`ended` is called when a response has ended."""
        self._conversation = conversation
        self._outbox = outbox
        self._services = services
        self._parts = parts
        self._open_item = open_item
        self._spawn = spawn
        self._ended = ended
        self._newest: Response | None = None
        self._spoken: OrderedDict[str, SpokenItem] = OrderedDict()  # by item

    @property
    def active(self) -> Response | None:
        newest = self._newest
        return newest if newest is not None and newest.is_active else None

    @property
    def is_idle(self) -> bool:
        return self._newest is None or self._newest.ended.done()

    def create(self, order: ResponseOrder, ready: Ready | None) -> Response:
        """`ready`: as of Response. Raises BadRequest where a response is active."""
        if (active := self.active) is not None:
            message = f"the response {active.id} is active; cancel it, or wait for its end"
            raise BadRequest(message, code="conversation_already_has_active_response")
        before = None if self._newest is None else self._newest.ended
        model = self._parts.language_model
        parts = (order, self._conversation, self._outbox, model, self._open)
        response = Response(*parts, ready=ready)
        self._newest = response
        self._spawn(self._run(response, before))
        return response

    def cancel(self, response_id: str | None) -> None:
        """Raises BadRequest where the response is not active."""
        active = self.active
        if active is None or response_id not in (None, active.id):
            message = "Cancellation failed: no active response found"  # clients look for the words
            raise BadRequest(message, param="response_id", code="response_cancel_not_active")
        self.stop(active, "client_cancelled")

    def stop(self, response: Response, reason: Reason, barge_in: BargeIn | None = None) -> None:
        """Mutes the response at once, and starts the chain that stops it."""
        response.mute(reason)
        self._spawn(self._chain(response, barge_in))

    def acknowledge(self, item_id: str, played_ms: float) -> None:
        """Of an item that is not known any more, nothing."""
        if (spoken := self._spoken.get(item_id)) is not None:
            spoken.acknowledge(played_ms)

    def truncate(self, item_id: str, audio_end_ms: float) -> None:
        """Cuts what the conversation keeps of the item to what was heard, by the times of its
        words. A cut brings no word back. An item that is being spoken is stopped. Raises
        BadRequest."""
        spoken = self._spoken.get(item_id)
        if spoken is None:
            message = f"item_id: no sound of an item {item_id!r} was sent"
            raise BadRequest(message, param="item_id", code="item_truncate_invalid_item_id")
        active = self.active
        if active is not None and active.spoken is spoken:
            self.stop(active, "client_cancelled")
        spoken.cut_ms = min(audio_end_ms, inf if spoken.cut_ms is None else spoken.cut_ms)
        item = self._conversation.find(item_id)
        if isinstance(item, Message) and item.status != "in_progress":
            cut = (Part(spoken.heard_text(), is_audio=True),)
            self._conversation.replace(replace(item, parts=cut))
        self._spawn(self._tell_heard(spoken, spoken.cut_ms))

    def deleted(self, item_id: str) -> None:
        """An item that is being spoken is stopped."""
        active, spoken = self.active, self._spoken.pop(item_id, None)
        if active is not None and spoken is not None and active.spoken is spoken:
            self.stop(active, "client_cancelled")

    def _open(self, place: Place) -> SpokenItem:
        spoken = self._spoken[place.item_id] = self._open_item(place)
        if len(self._spoken) > MAX_SPOKEN:
            self._spoken.popitem(last=False)
        return spoken

    async def _run(self, response: Response, before: "asyncio.Future[None] | None") -> None:
        await response.run(before)
        self._parts.observer.responded(response.outcome)
        if response.outcome not in ("completed", "incomplete", "turn_detected", "client_cancelled"):
            self._services.refused(response.outcome)
        self._ended()

    async def _chain(self, response: Response, barge_in: BargeIn | None) -> None:
        spoken = response.spoken
        now_s = time.monotonic()
        steps = ChainSteps(
            silence_player=None if spoken is None else lambda: self._silent(spoken),
            cancel_speech=response.cancel_speech,
            cancel_llm=response.cancel_reply,
            abort_recogniser=None if barge_in is None else barge_in.abort,
            listen=None if barge_in is None else barge_in.listen,
        )
        began_s = now_s if barge_in is None else barge_in.began_at_s
        noticed_s = now_s if barge_in is None else barge_in.noticed_at_s
        report = await cancel_chain(steps, began_s, noticed_s)
        for step, failure in report.failures.items():
            log.warning("response %s: %s failed: %s", response.id, step, failure)
        if barge_in is not None:
            await self._tell_times(response, report)

    async def _tell_times(self, response: Response, report: ChainReport) -> None:
        """To the metrics, the log, the client, and the report of the session that was cut."""
        in_time = sorted(report.marks.items(), key=lambda item: item[1])
        marks = {mark.value: at_s for mark, at_s in in_time}
        times = BargeInTimes(response.id, marks, report.legs_ms)
        self._parts.observer.interrupted(times.legs_ms)
        spoken = response.spoken
        named = {"session": None if spoken is None else spoken.session_id, **asdict(times)}
        legs = ", ".join(f"{leg} {ms:.0f}" for leg, ms in times.legs_ms.items())
        log.info("response %s was interrupted; legs in ms: %s", response.id, legs, extra=named)
        self._outbox.post("response.interrupted", **asdict(times))
        if spoken is not None:
            with suppress(ServeError):
                await self._services.synthesizer.interrupted(spoken.key, times)

    async def _silent(self, spoken: SpokenItem) -> None:
        await self._outbox.silent(spoken.place.item_id)

    async def _tell_heard(self, spoken: SpokenItem, played_ms: float) -> None:
        """The registry keeps what was heard, for the reports of sessions."""
        with suppress(ServeError):
            await self._services.synthesizer.cancel(spoken.key, played_ms)
