"""The sending side of a speech socket: one message at a time, and none of a cancelled context.

The socket's dialect turns messages into frames. Knows nothing about what contexts do.
"""

import asyncio
from collections.abc import Coroutine, Sequence

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from app.api.dialects.dialect import Dialect, Frame, ServerMessage
from app.api.speech_context import SpeechContext
from app.core import FinishReason


class SocketOutbox:
    """Implements app.api.speech_context.Outbox. Every method raises WebSocketDisconnect where the
    client has left, and ReaderStalled where it reads no more."""

    def __init__(self, websocket: WebSocket, dialect: Dialect) -> None:
        self._websocket = websocket
        self._dialect = dialect
        self._sending = asyncio.Lock()

    async def tell(self, context: SpeechContext, kind: str, **fields: object) -> None:
        message = ServerMessage(kind, context.context_id, context.number, fields)
        await self._say(context, message)

    async def failed(self, context: SpeechContext, error: Exception) -> None:
        message = ServerMessage("error", context.context_id, context.number, error=error)
        await self._say(context, message)

    async def audio(
        self, context: SpeechContext, encoded: bytes, prebuffer_ms: int | None = None
    ) -> None:
        told = {} if prebuffer_ms is None else {"prebuffer_ms": prebuffer_ms}
        sound = ServerMessage(
            "audio",
            context.context_id,
            context.number,
            told,
            sound=encoded,
            is_binary=context.is_binary,
        )
        await self._say(context, sound)

    def cancelled_elsewhere(self, context: SpeechContext) -> Coroutine[object, object, None]:
        """The end of a context that another connection has stopped. The dialect gets it now, before
        the context is cancelled."""
        told = {"finish_reason": FinishReason.CANCELLED}
        return self.frames(
            self._dialect.write(ServerMessage("done", context.context_id, context.number, told))
        )

    def event(
        self,
        kind: str,
        *,
        context_id: str | None,
        stream: int | None = None,
        error: Exception | None = None,
        **fields: object,
    ) -> Coroutine[object, object, None]:
        """A message that is not of a context that speaks. The dialect gets it now."""
        message = ServerMessage(kind, context_id, stream, fields, error=error)
        return self.frames(self._dialect.write(message))

    async def frames(self, frames: Sequence[Frame]) -> None:
        async with self._sending:
            for frame in frames:
                await self._send(frame)

    async def close(self, code: int, reason: str) -> None:
        async with self._sending:
            if self._websocket.application_state is WebSocketState.CONNECTED:
                await self._websocket.close(code, reason)

    async def _say(self, context: SpeechContext, message: ServerMessage) -> None:
        async with self._sending:
            if context.is_cancelled:
                return
            for frame in self._dialect.write(message):
                if not context.is_cancelled:
                    await self._send(frame)

    async def _send(self, frame: Frame) -> None:
        """The caller holds `_sending`."""
        if self._websocket.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnect
        if isinstance(frame, str):
            await self._websocket.send_text(frame)
        else:
            await self._websocket.send_bytes(frame)
