"""What the parts of a realtime session do with the client's events and with what is heard.

Knows nothing about the connection: events go to an outbox, and an end is told to the session.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Coroutine

from app.api.realtime.client_events import (
    Append,
    Clear,
    ClientEvent,
    Commit,
    ItemCreate,
    ItemDelete,
    ItemRetrieve,
    ItemTruncate,
    PlaybackAck,
    ResponseCancel,
    ResponseCreate,
    ResponseFields,
    SessionUpdate,
)
from app.api.realtime.heard_quota import HeardQuota
from app.api.realtime.ids import new_id
from app.api.realtime.item_fields import item_of, told
from app.api.realtime.listener import Heard, HearingLost, Listener
from app.api.realtime.outbox import EventOutbox
from app.api.realtime.parts import RealtimeParts
from app.api.realtime.response import Ready
from app.api.realtime.responses import Responses
from app.api.realtime.session_fields import updated
from app.api.realtime.session_state import SessionState, order_of, state_of
from app.api.realtime.spoken_item import Place, SpokenItem
from app.api.realtime.utterance import TextLate
from app.api.realtime.utterances import Utterances
from app.api.realtime.whole_samples import WholeSamples
from app.api.services import Services
from app.auth.api_keys import Caller
from app.conversation.items import Conversation
from app.errors import BadRequest, RateLimited, ReaderStalled, ServeError
from app.hearing.ears import Aborted
from app.sessions.tasks import TaskSet, cancel_and_wait

log = logging.getLogger(__name__)

POLICY, INTERNAL = 1008, 1011  # close codes, RFC 6455
End = Callable[[int, str], None]  # the session ends with this close code and reason


class Dialogue:
    def __init__(
        self,
        services: Services,
        parts: RealtimeParts,
        caller: Caller,
        state: SessionState,
        outbox: EventOutbox,
        *,
        session_id: str,
        model: str,
        end: End,
    ) -> None:
        """`session_id` names the session; the ids of its speech begin with it. `model`: as the
        client calls it."""
        self._services = services
        self._parts = parts
        self._caller = caller
        self._state = state
        self._outbox = outbox
        self._session_id = session_id
        self._model = model
        self._end = end
        self._conversation_id = new_id("conv")
        self._conversation = Conversation()
        self._tasks = TaskSet()
        self._num_items = 0
        self._num_faults = 0
        settings = parts.settings
        self._samples = WholeSamples()
        self._quota = HeardQuota(services.admission, caller, settings.max_behind_s)
        self._responses = Responses(
            self._conversation,
            self._outbox,
            services,
            parts,
            open_item=self._open_item,
            spawn=self.spawn,
            ended=self._answer_owed,
        )
        self._listener = Listener(
            parts.hearing,
            state.configured,
            on_heard=self._on_heard,
            charge=self._quota.charge,
            observer=parts.observer,
        )
        self._utterances = Utterances(
            self._conversation,
            self._outbox,
            self._responses,
            manners=lambda: self._state.manners,
            abort=self._abort,
            respond=self._respond_to_voice,
            late=self._heard_late,
            observe=parts.observer.utterance,
            transcript_s=settings.transcript_s,
        )

    @property
    def is_idle(self) -> bool:
        return self._responses.is_idle and self._utterances.is_idle

    def begin(self) -> None:
        self._outbox.post("session.created", session=self._told())
        self.spawn(self._listener.run())

    async def aclose(self) -> None:
        """Returns when everything has stopped and is freed."""
        self._utterances.close()
        await cancel_and_wait(*self._tasks.all())

    def spawn(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        """A task of the session. Where it fails, the session ends."""
        task = self._tasks.start(work)
        task.add_done_callback(lambda _: work.close())  # in case it was cancelled before it began
        task.add_done_callback(self._task_ended)
        return task

    def refuse(self, error: ServeError, event_id: str | None) -> None:
        """`event_id`: of the client's event that is refused."""
        self._tell_refusal(error, event_id)
        is_race = error.code == "response_cancel_not_active"  # as after every barge-in of LiveKit
        self._num_faults += not is_race
        if self._num_faults > self._services.sockets.max_faults:
            self._end(POLICY, "too many invalid events")

    def _tell_refusal(self, error: ServeError, event_id: str | None = None) -> None:
        """Without an event no fault is counted: the client has sent nothing wrong."""
        self._services.refused(error.code)
        self._outbox.refuse(error, event_id)

    async def obey(self, event: ClientEvent, event_id: str | None) -> None:
        """Raises ServeError where the event is refused."""
        if isinstance(event, Commit | Clear) and self._state.configured.turns is None:
            self._samples.begin_anew()  # what is recorded next
        match event:
            case Append():
                self._append(event.audio)
            case SessionUpdate():
                await self._update(event)
            case Commit():
                self._listener.commit(event_id)
            case Clear():
                self._listener.clear()
            case ResponseCreate():
                self._respond(event.response, self._texts)
            case ResponseCancel():
                self._responses.cancel(event.response_id)
            case PlaybackAck():
                self._responses.acknowledge(event.item_id, event.played_ms)
            case ItemTruncate():
                self._truncate(event)
            case _:
                self._change_items(event)

    def _append(self, audio: str) -> None:
        try:
            sound = base64.b64decode(audio, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadRequest("audio: the value is no base64", param="audio") from error
        sound = self._samples.take(sound, self._state.configured.sound)
        seconds = len(sound) / self._state.bytes_per_s
        self._quota.pace(seconds)
        if sound:
            self._listener.sound(sound, seconds)

    async def _update(self, event: SessionUpdate) -> None:
        fields = updated(self._state.fields, event.session)
        turns = self._parts.turns
        before = self._state.configured
        self._state = await state_of(fields, self._services, self._caller, turns)
        if self._state.configured != before:
            self._listener.configure(self._state.configured)
        self._outbox.post("session.updated", session=self._told())

    def _truncate(self, event: ItemTruncate) -> None:
        if event.content_index:
            message = "content_index: the sound of an item is its content 0"
            raise BadRequest(message, param="content_index")
        self._responses.truncate(event.item_id, event.audio_end_ms)
        named = {"item_id": event.item_id, "content_index": event.content_index}
        end_ms = round(event.audio_end_ms)
        self._outbox.post("conversation.item.truncated", **named, audio_end_ms=end_ms)

    def _change_items(self, event: ClientEvent) -> None:
        match event:
            case ItemCreate():
                item = item_of(event.item)
                before = self._conversation.add(item, event.previous_item_id)
                for kind in ("conversation.item.added", "conversation.item.done"):
                    self._outbox.post(kind, previous_item_id=before, item=told(item))
            case ItemDelete():
                self._conversation.delete(event.item_id)
                self._responses.deleted(event.item_id)
                self._outbox.post("conversation.item.deleted", item_id=event.item_id)
            case ItemRetrieve():
                item = self._conversation.get(event.item_id, "item_retrieve_invalid_item_id")
                self._outbox.post("conversation.item.retrieved", item=told(item))

    def _respond(self, given: ResponseFields | None, ready: Ready | None) -> None:
        order = order_of(
            self._state,
            given,
            instructions=self._parts.settings.instructions,
            conversation=self._conversation,
            conversation_id=self._conversation_id,
        )
        self._responses.create(order, ready)
        if order.items is None and order.conversation_id is not None:
            self._utterances.answered()

    def _respond_to_voice(self) -> None:
        try:
            self._respond(None, None)
        except ServeError as error:
            self._tell_refusal(error)

    def _answer_owed(self) -> None:
        """What was said while a response was active is answered behind it."""
        try:
            self._utterances.answer()
        except ReaderStalled as error:
            self._end(POLICY, error.code)

    async def _texts(self) -> None:
        """Returns when all that was sent before has its text. `transcript_s` bounds it."""
        await self._listener.obeyed()
        await self._utterances.texts()

    # Hearing

    async def _on_heard(self, heard: Heard | TextLate) -> None:
        try:
            await self._utterances.heard(heard)
        except ReaderStalled as error:
            self._end(POLICY, error.code)
        except ServeError as error:
            self._tell_refusal(error)
        if isinstance(heard, HearingLost):
            self._services.refused(heard.error.code)
            if isinstance(heard.error, RateLimited):
                self._end(POLICY, heard.error.code)

    def _heard_late(self, late: TextLate) -> None:
        self.spawn(self._on_heard(late))

    def _abort(self, up_to: int) -> "asyncio.Future[Aborted]":
        return self._tasks.start(self._listener.abort(up_to))

    # Working

    def _open_item(self, place: Place) -> SpokenItem:
        session_id = f"{self._session_id}-{self._num_items}"
        self._num_items += 1
        return SpokenItem(place, self._outbox, self._services, self._state.options, session_id)

    def _task_ended(self, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, ReaderStalled):
            self._end(POLICY, error.code)
        elif error is not None:
            named = {"session": self._session_id}
            log.error("realtime session %s failed", self._session_id, exc_info=error, extra=named)
            self._end(INTERNAL, "internal_error")

    def _told(self) -> dict[str, object]:
        session, state = self._state.fields.model_dump(mode="json"), self._state
        session["audio"]["output"]["voice"] = state.voice
        named = {"id": self._session_id, "object": "realtime.session", "model": self._model}
        is_echo = self._parts.language_model.is_echo
        return {**session, **named, "language_model": "echo" if is_echo else "configured"}
