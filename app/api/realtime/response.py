"""One response: the reply of the language model, spoken while it is written.

A response passes `run` once, and has one end: completed, incomplete, cancelled or failed. A stop
mutes it at once; `run` tells the end when the stop is complete. Knows nothing about what was heard.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

from app.api.errors import error_of
from app.api.realtime.ids import new_id
from app.api.realtime.item_fields import told
from app.api.realtime.outbox import EventOutbox
from app.api.realtime.reply_items import CallItems, TextItem
from app.api.realtime.spoken_item import Place, SpokenItem
from app.conversation.items import Conversation, Item
from app.conversation.language_model import (
    CallPiece,
    LanguageModel,
    ReplyEnd,
    ReplyPiece,
    ReplyRequest,
    TextPiece,
)
from app.errors import ServeError
from app.sessions.tasks import cancel_and_wait

log = logging.getLogger(__name__)

Json = dict[str, Any]
Reason = Literal["turn_detected", "client_cancelled"]
OpenItem = Callable[[Place], SpokenItem]
Ready = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ResponseOrder:
    """`items` None: those of the conversation when the response begins. `fields`: what the events
    of the response repeat. `conversation_id` None: the conversation does not get its items."""

    request: ReplyRequest
    items: Sequence[Item] | None = None
    metadata: Mapping[str, str] | None = None
    modality: Literal["audio", "text"] = "audio"
    fields: Json = field(default_factory=dict)
    conversation_id: str | None = None


class Response:
    def __init__(
        self,
        order: ResponseOrder,
        conversation: Conversation,
        outbox: EventOutbox,
        language_model: LanguageModel,
        open_item: OpenItem,
        *,
        ready: Ready | None = None,
    ) -> None:
        """`ready` returns when the conversation has all that the response is to answer."""
        self.id = new_id("resp")
        self.order = order
        self.spoken: SpokenItem | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_stopping = asyncio.Event()  # the stop has been sent to the speech or to the model
        self.outcome = ""  # as RealtimeObserver.responded has it
        self._conversation = conversation if order.conversation_id else Conversation()
        self._outbox = outbox
        self._language_model = language_model
        self._open_item = open_item
        self._ready = ready
        self._message: TextItem | None = None
        self._calls = CallItems(self.id, self._conversation, outbox)
        self._output: list[Item] = []
        self._end = ReplyEnd("stop")
        self._reason: Reason | None = None
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_stopped = {"speech": False, "reply": False}
        self._replying: asyncio.Task[None] | None = None
        self._speaking: asyncio.Task[None] | None = None

    # What stops it

    @property
    def is_active(self) -> bool:
        return self._reason is None and not self.ended.done()

    def mute(self, reason: Reason) -> None:
        """From now on no sound is written. `cancel_speech` and `cancel_reply` must follow."""
        self._reason = self._reason or reason
        if self.spoken is not None:
            self.spoken.mute()

    async def cancel_speech(self) -> None:
        """Returns when the speech has stopped. Raises ServeError."""
        self.is_stopping.set()
        try:
            if self.spoken is not None:
                await self.spoken.cancel()
        finally:
            if self._speaking is not None:
                await cancel_and_wait(self._speaking)
            self._stop("speech")

    async def cancel_reply(self) -> None:
        """Returns when the connection to the language model is closed."""
        if self._replying is not None:
            await cancel_and_wait(self._replying)
        self._stop("reply")

    def _stop(self, part: str) -> None:
        """With both parts stopped, `run` tells the end."""
        self._is_stopped[part] = True
        if all(self._is_stopped.values()) and not self._stopped.done():
            self._stopped.set_result(None)

    # Its life

    async def run(self, before: "asyncio.Future[None] | None") -> None:
        """`before`: the end of the response before this one, which may still be stopping."""
        try:
            if before is not None:
                await asyncio.wait({before})
            await self._run()
        finally:
            working = [task for task in (self._replying, self._speaking) if task is not None]
            await cancel_and_wait(*working)
            if not self.ended.done():
                self.ended.set_result(None)

    async def _run(self) -> None:
        self._outbox.post("response.created", response=self._told("in_progress"))
        if self._reason is None:
            replying = self._replying = asyncio.ensure_future(self._reply())
            ends: set[asyncio.Future[None]] = {replying, self._stopped}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if self._reason is not None:
            await self._stopped
            self._finish("cancelled")
            return
        try:
            replying.result()
        except ServeError as error:
            log.warning("response %s failed: %s", self.id, error.message)
            self._finish("failed", error=error)
            return
        if self.spoken is not None and self.spoken.is_cancelled:
            self._reason = "client_cancelled"
            self._finish("cancelled")
            return
        is_whole = self._end.reason in ("stop", "tool_calls")
        self._finish("completed" if is_whole else "incomplete")

    async def _reply(self) -> None:
        if self._ready is not None and self.order.items is None:
            await self._ready()
        request = self._request()
        async with aclosing(self._language_model.reply(request)) as pieces:
            async for piece in pieces:
                if self._reason is not None:
                    break  # it is stopped: nothing more begins
                if self._speaking is not None and self._speaking.done():
                    break  # it has failed, or was cancelled by another request
                await self._take(piece)
        if self.spoken is not None and self._speaking is not None:
            self.spoken.close()
            await asyncio.wait({self._speaking})  # which ends by itself where this task is stopped
            self._speaking.result()

    def _request(self) -> ReplyRequest:
        order = self.order
        items = tuple(self._conversation) if order.items is None else order.items
        request = order.request
        return ReplyRequest(
            request.instructions, items, request.tools, request.tool_choice, request.max_tokens
        )

    async def _take(self, piece: ReplyPiece) -> None:
        match piece:
            case TextPiece():
                await self._say(piece.text)
            case CallPiece():
                self._calls.take(piece, int(self._message is not None))
            case ReplyEnd():
                self._end = piece

    async def _say(self, text: str) -> None:
        if self._message is None:
            if not text.strip():
                return
            self._message = self._open_message()
        if self.spoken is None:
            self._message.write(text)
            return
        await self.spoken.push(text)

    def _open_message(self) -> TextItem:
        place = Place(self.id, new_id("item"), self._calls.num)
        is_spoken = self.order.modality == "audio"
        message = TextItem(place, self._conversation, self._outbox, is_spoken=is_spoken)
        message.open()
        if is_spoken:
            self.spoken = self._open_item(place)
            self._speaking = asyncio.ensure_future(self.spoken.run())
        return message

    # Its end

    def _finish(
        self,
        status: Literal["completed", "incomplete", "cancelled", "failed"],
        *,
        error: ServeError | None = None,
    ) -> None:
        is_whole = status == "completed"
        output: list[tuple[int, Item]] = list(self._calls.finish(is_whole=is_whole))
        if (message := self._message) is not None:
            is_cut = status in ("cancelled", "failed")
            item = message.finish(self._text(is_cut=is_cut), is_whole)
            output.append((message.place.output_index, item))
        self._output = [item for _, item in sorted(output, key=lambda each: each[0])]
        details = self._details(status, error)
        response = self._told(status) | {"status_details": details, "usage": self._usage()}
        self.outcome = self._outcome(status, error)
        self._outbox.post("response.done", response=response)
        if not self.ended.done():
            self.ended.set_result(None)

    def _text(self, *, is_cut: bool) -> str:
        """Of the message. Of one that was cut, what was heard."""
        if self.spoken is None:
            return self._message.text if self._message is not None else ""
        is_cut = is_cut or self.spoken.cut_ms is not None
        return self.spoken.heard_text() if is_cut else self.spoken.text

    def _outcome(self, status: str, error: ServeError | None) -> str:
        if error is not None:
            return error.code
        return self._reason if status == "cancelled" and self._reason else status

    def _details(self, status: str, error: ServeError | None) -> Json | None:
        if status == "completed":
            return None
        details: Json = {"type": status}
        if error is not None:
            details["error"] = error_of(error)
        elif status == "cancelled":
            details["reason"] = self._reason
        else:
            is_long = self._end.reason == "length"
            details["reason"] = "max_output_tokens" if is_long else "content_filter"
        return details

    def _told(self, status: str) -> Json:
        session_id = None if self.spoken is None else self.spoken.session_id
        return {
            "id": self.id,
            "object": "realtime.response",
            "status": status,
            "status_details": None,
            "output": [told(item) for item in self._output],
            "metadata": None if self.order.metadata is None else dict(self.order.metadata),
            "conversation_id": self.order.conversation_id,
            "usage": None,
            "session_id": session_id,
            **self.order.fields,
        }

    def _usage(self) -> Json:
        """Text tokens are the language model's. Audio tokens are speech tokens."""
        end, num_audio = self._end, 0 if self.spoken is None else self.spoken.num_tokens
        num_output = end.num_output_tokens + num_audio
        return {
            "total_tokens": end.num_input_tokens + num_output,
            "input_tokens": end.num_input_tokens,
            "output_tokens": num_output,
            "input_token_details": {
                "text_tokens": end.num_input_tokens,
                "audio_tokens": 0,
                "cached_tokens": end.num_cached_tokens,
            },
            "output_token_details": {
                "text_tokens": end.num_output_tokens,
                "audio_tokens": num_audio,
            },
        }
