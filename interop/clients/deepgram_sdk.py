"""deepgram-sdk over its socket, one for all turns: Speak, Flush, and Clear for a barge-in."""

import asyncio
import sys
from contextlib import AsyncExitStack

from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from deepgram.speak.v1.types import SpeakV1Text

from interop.orders import Turn, run

RATE = 24_000
TIMEOUT_S = 20.0


class Deepgram:
    def __init__(self, url: str) -> None:
        address = url.replace("http", "ws")
        environment = DeepgramClientEnvironment(
            base=url, production=address, agent=address, agent_rest=url
        )
        self._client = AsyncDeepgramClient(api_key="interop", environment=environment)
        self._socket = None
        self._open = AsyncExitStack()

    async def open(self) -> None: ...

    async def take(self, turn: Turn) -> None:
        """A turn that fails ends its socket, and the next one has a new socket."""
        try:
            await self._speak(turn)
        except BaseException:
            await self.close()
            raise

    async def _speak(self, turn: Turn) -> None:
        if self._socket is None:
            query = {"model": "aura-2-thalia-en", "encoding": "linear16", "sample_rate": str(RATE)}
            connecting = self._client.speak.v1.connect(**query)
            self._socket = await self._open.enter_async_context(connecting)
        socket = self._socket
        for sentence in turn.sentences:
            await socket.send_text(SpeakV1Text(text=f"{sentence} "))
        await socket.send_flush()
        listening = asyncio.ensure_future(self._listen(turn, socket))
        if await turn.interrupts(listening):
            await socket.send_clear()
        await listening

    async def _listen(self, turn: Turn, socket) -> None:
        while True:
            async with asyncio.timeout(TIMEOUT_S):
                message = await socket.recv()
            if isinstance(message, bytes):
                turn.sound(len(message) // 2, RATE)
            elif message.type == "Error":
                raise RuntimeError(str(message))
            elif message.type in ("Flushed", "Cleared"):
                return

    async def close(self) -> None:
        self._socket = None
        await self._open.aclose()


if __name__ == "__main__":
    run(Deepgram(sys.argv[1]))
