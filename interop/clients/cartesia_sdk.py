"""cartesia's SDK over its socket, one for all turns: a context a turn, 32-bit floats at 44.1 kHz as
the SDK asks by default."""

import asyncio
import sys
from contextlib import AsyncExitStack

from cartesia import AsyncCartesia

from interop.orders import Turn, run

RATE = 44_100
TIMEOUT_S = 20.0
VOICE = {"mode": "id", "id": "f786b574-daa5-4673-aa0c-cbe3e8534c02"}
FORMAT = {"container": "raw", "encoding": "pcm_f32le", "sample_rate": RATE}


class Cartesia:
    def __init__(self, url: str) -> None:
        self._client = AsyncCartesia(
            api_key="interop", base_url=url, websocket_base_url=url.replace("http", "ws")
        )
        self._connection = None
        self._open = AsyncExitStack()

    async def open(self) -> None: ...

    async def take(self, turn: Turn) -> None:
        """A turn that fails ends its socket, and the next one has a new socket: the SDK never opens
        one anew that the server has closed."""
        try:
            await self._speak(turn)
        except BaseException:
            await self._leave()
            raise

    async def _speak(self, turn: Turn) -> None:
        if self._connection is None:
            connecting = self._client.tts.websocket_connect()
            self._connection = await self._open.enter_async_context(connecting)
        context = self._connection.context(
            model_id="sonic-latest",
            voice=VOICE,
            output_format=FORMAT,
            add_timestamps=True,
            timeout=TIMEOUT_S,
        )
        for sentence in turn.sentences:
            await context.push(f"{sentence} ")
        await context.no_more_inputs()
        listening = asyncio.ensure_future(self._listen(turn, context))
        if await turn.interrupts(listening):
            await context.cancel()
            listening.cancel()  # the SDK hears nothing of a context that it has cancelled
            await asyncio.wait({listening})
            return
        await listening

    async def _listen(self, turn: Turn, context) -> None:
        async for event in context.receive():
            if event.type == "chunk" and event.audio:
                turn.sound(len(event.audio) // 4, RATE)
            elif event.type == "timestamps" and event.word_timestamps is not None:
                turn.words(event.word_timestamps.words)
            elif event.type == "error":
                raise RuntimeError(f"{event.title}: {event.message}")

    async def _leave(self) -> None:
        self._connection = None
        await self._open.aclose()

    async def close(self) -> None:
        await self._leave()
        await self._client.close()


if __name__ == "__main__":
    run(Cartesia(sys.argv[1]))
