"""deepgram-sdk over its socket: Speak, Flush, and Clear for a barge-in."""

import asyncio
import sys

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

    async def open(self) -> None: ...

    async def take(self, turn: Turn) -> None:
        query = {"model": "aura-2-thalia-en", "encoding": "linear16", "sample_rate": str(RATE)}
        async with self._client.speak.v1.connect(**query) as socket:
            for sentence in turn.sentences:
                await socket.send_text(SpeakV1Text(text=f"{sentence} "))
            await socket.send_flush()
            listening = asyncio.ensure_future(self._listen(turn, socket))
            over = asyncio.ensure_future(turn.until_over())
            await asyncio.wait({listening, over}, return_when=asyncio.FIRST_COMPLETED)
            over.cancel()
            if not listening.done():
                turn.interrupted()
                await socket.send_clear()
            await listening
            await socket.send_close()

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

    async def close(self) -> None: ...


if __name__ == "__main__":
    run(Deepgram(sys.argv[1]))
