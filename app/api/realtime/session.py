"""The connection of a realtime session: its events are read, written and ended here.

One task receives and one writes. Every end takes one path, which stops all work of the session.
docs/realtime.md describes the protocol. Knows nothing about what events mean.
"""

import asyncio
import logging
from typing import NamedTuple

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from app.api.idle_clock import IdleClock
from app.api.realtime.client_events import event_id_of, event_of, read_event
from app.api.realtime.dialogue import Dialogue
from app.api.realtime.outbox import EventOutbox
from app.api.realtime.parts import RealtimeParts
from app.api.realtime.session_state import SessionState
from app.api.services import Services
from app.auth.api_keys import Caller
from app.core import FinishReason, SessionKey
from app.errors import ReaderStalled, ServeError

log = logging.getLogger(__name__)

NORMAL, TOO_BIG = 1000, 1009  # close codes, RFC 6455
LAST_EVENTS_S = 1.0  # in which a client may take what was posted before the close


class _End(NamedTuple):
    """`code` None: the client has left."""

    code: int | None
    reason: str = ""


class RealtimeSession:
    """One connection that was accepted."""

    def __init__(
        self,
        websocket: WebSocket,
        services: Services,
        parts: RealtimeParts,
        caller: Caller,
        state: SessionState,
        *,
        session_id: str,
        model: str,
    ) -> None:
        """`session_id`, `model`: as in Dialogue."""
        self._websocket = websocket
        self._services = services
        self._settings = parts.settings
        self._key = SessionKey(caller.tenant, session_id)
        self._outbox = EventOutbox(websocket.send_text)
        self._ending: asyncio.Future[_End] = asyncio.get_running_loop().create_future()
        self._dialogue = Dialogue(
            services,
            parts,
            caller,
            state,
            self._outbox,
            session_id=session_id,
            model=model,
            end=self._end,
        )

    async def serve(self) -> None:
        """Returns when the session has ended and everything of it is freed."""
        writing = asyncio.ensure_future(self._outbox.run())
        with self._services.synthesizer.group(self._key) as group:
            self._dialogue.begin()
            self._dialogue.spawn(self._receive_all())
            self._dialogue.spawn(self._watch_time())
            try:
                await asyncio.wait(
                    (self._ending, writing, group.stopped), return_when=asyncio.FIRST_COMPLETED
                )
                if group.stopped.done():
                    group.finish, group.cause = FinishReason.CANCELLED, "cancel"
                    self._end(NORMAL, "cancelled")
            finally:
                await self._dialogue.aclose()
                await self._close(writing)

    async def _close(self, writing: "asyncio.Task[None]") -> None:
        """What was posted is written first, where the client takes it."""
        is_open = self._websocket.application_state is WebSocketState.CONNECTED
        end = self._ending.result() if self._ending.done() else _End(None)
        if end.code is not None and is_open:
            self._outbox.finish()
            await asyncio.wait({writing}, timeout=LAST_EVENTS_S)
            if writing.done() and not writing.cancelled() and writing.exception() is None:
                await self._websocket.close(end.code, end.reason)
        writing.cancel()
        await asyncio.wait({writing})
        error = None if writing.cancelled() else writing.exception()
        if isinstance(error, ReaderStalled):
            named = {"session": self._key.session_id}
            message = "realtime session %s: %s"
            log.info(message, self._key.session_id, error.message, extra=named)
        elif error is not None and not isinstance(error, WebSocketDisconnect):
            raise error

    def _end(self, code: int | None, reason: str = "") -> None:
        if not self._ending.done():
            self._ending.set_result(_End(code, reason))

    async def _receive_all(self) -> None:
        while (frame := await self._receive()) is not None:
            await self._read(frame)
        self._end(None)

    async def _receive(self) -> str | None:
        """None: the client has left. A connection whose `receive` fails counts as left: Ray Serve's
        `receive` sometimes raises its own TaskCancelledError on a disconnect (2.60, 1 in 20)."""
        incoming = asyncio.ensure_future(self._websocket.receive())
        try:
            await asyncio.wait({incoming})
        finally:
            incoming.cancel()
        is_lost = incoming.cancelled() or incoming.exception() is not None
        if is_lost or incoming.result()["type"] == "websocket.disconnect":
            return None
        frame: str | None = incoming.result().get("text")
        return frame or ""  # a binary frame is refused as an empty one is

    async def _read(self, frame: str) -> None:
        if len(frame) > self._settings.max_frame_bytes:
            self._end(TOO_BIG, "the event is too big")
            return
        event_id = None
        try:
            body = read_event(frame)
            event_id = event_id_of(body)
            await self._dialogue.obey(event_of(body), event_id)
        except ServeError as error:
            self._dialogue.refuse(error, event_id)

    async def _watch_time(self) -> None:
        now = asyncio.get_running_loop().time
        until_s = now() + self._settings.session_s
        idle = IdleClock(self._settings.idle_s)
        while (left_s := until_s - now()) > 0:
            idle_s = idle.left_s(is_idle=self._dialogue.is_idle)
            if idle_s == 0:
                self._end(NORMAL, "idle")
                return
            await asyncio.sleep(min(left_s, idle_s))
        self._end(NORMAL, "session_expired")
