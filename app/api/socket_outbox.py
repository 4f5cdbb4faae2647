"""The sending side of a speech socket: one frame at a time, and none of a cancelled context.

Knows nothing about what contexts do.
"""

import asyncio
import json
import struct

from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from app.api.events import base64_of
from app.api.speech_context import SpeechContext


class SocketOutbox:
    """Implements app.api.speech_context.Outbox. Every method raises WebSocketDisconnect where the
    client has left, and ReaderStalled where it reads no more."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._sending = asyncio.Lock()

    async def tell(self, context: SpeechContext, kind: str, **fields: object) -> None:
        message = _message(kind, context, **fields)
        async with self._sending:
            if not context.is_cancelled:
                await self._send(message)

    async def audio(
        self, context: SpeechContext, encoded: bytes, prebuffer_ms: int | None = None
    ) -> None:
        told = {} if prebuffer_ms is None else {"prebuffer_ms": prebuffer_ms}
        frames: list[str | bytes] = []
        if not context.is_binary:
            frames.append(_message("audio", context, audio=base64_of(encoded), **told))
        else:
            if told:  # a binary frame has no fields
                frames.append(_message("audio", context, audio="", **told))
            frames.append(struct.pack(">I", context.number) + encoded)
        async with self._sending:
            for frame in frames:
                if not context.is_cancelled:
                    await self._send(frame)

    async def event(self, kind: str, **fields: object) -> None:
        async with self._sending:
            await self._send(json.dumps({"type": kind, **fields}))

    async def close(self, code: int, reason: str) -> None:
        async with self._sending:
            if self._websocket.application_state is WebSocketState.CONNECTED:
                await self._websocket.close(code, reason)

    async def _send(self, frame: str | bytes) -> None:
        """The caller holds `_sending`."""
        if self._websocket.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnect
        if isinstance(frame, str):
            await self._websocket.send_text(frame)
        else:
            await self._websocket.send_bytes(frame)


def _message(kind: str, context: SpeechContext, **fields: object) -> str:
    """The id of a context may be used again; the number of the stream is unique."""
    named = {"type": kind, "context_id": context.context_id, "stream": context.number}
    return json.dumps(named | fields)
