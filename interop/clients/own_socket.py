"""A plain client of our own socket, on the `websockets` package: a context a turn, on one socket
that stays open between turns."""

import asyncio
import itertools
import json
import struct
import sys
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from interop.orders import Turn, run

RATE = 24_000
TIMEOUT_S = 20.0
PATH = "/v1/audio/speech/stream"
STREAM_BYTES = struct.calcsize(">I")  # before the sound of a binary frame


class OwnSocket:
    def __init__(self, url: str) -> None:
        self._address = url.replace("http", "ws") + PATH
        self._socket: ClientConnection | None = None
        self._ids = itertools.count()

    async def open(self) -> None: ...

    async def take(self, turn: Turn) -> None:
        """A socket that is lost is a fault of the turn; the next one has a new socket."""
        if self._socket is None:
            self._socket = await connect(self._address, max_size=None, proxy=None)
        socket, context = self._socket, f"turn-{next(self._ids)}"
        try:
            await self._speak(turn, socket, context)
        except (ConnectionClosed, TimeoutError):
            self._socket = None
            raise

    async def _speak(self, turn: Turn, socket: ClientConnection, context: str) -> None:
        sound = {"voice": "alloy", "audio": "binary", "timestamps": "word"}
        await _send(socket, context, "start", **sound)
        for sentence in turn.sentences:
            await _send(socket, context, "text", text=f"{sentence} ")
        await _send(socket, context, "close")
        listening = asyncio.ensure_future(_listen(turn, socket, context))
        if await turn.interrupts(listening):
            await _send(socket, context, "cancel")
        await listening

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()


async def _send(socket: ClientConnection, context: str, kind: str, **fields: object) -> None:
    await socket.send(json.dumps({"type": kind, "context_id": context, **fields}))


async def _listen(turn: Turn, socket: ClientConnection, context: str) -> None:
    """To the end of the context. A word that is told again has better times."""
    words: dict[int, str] = {}
    while True:
        async with asyncio.timeout(TIMEOUT_S):
            frame = await socket.recv()
        if isinstance(frame, bytes):
            turn.sound((len(frame) - STREAM_BYTES) // 2, RATE)
            continue
        message: dict[str, Any] = json.loads(frame)
        if message["type"] == "error":
            raise RuntimeError(message["error"]["message"])
        if message.get("context_id") != context:
            continue
        if message["type"] == "words":
            words |= {word["char_start"]: word["text"] for word in message["words"]}
        elif message["type"] in ("done", "cancelled"):
            turn.words([words[at] for at in sorted(words)])
            if message["type"] == "done" and message["finish_reason"] != "stop":
                raise RuntimeError(f"the finish is {message['finish_reason']}")
            return


if __name__ == "__main__":
    run(OwnSocket(sys.argv[1]))
