"""openai's SDK: one request a sentence, as agent frameworks send them, raw samples."""

import sys

from openai import AsyncOpenAI

from interop.orders import Turn, run

RATE = 24_000


class OpenAi:
    def __init__(self, url: str) -> None:
        self._client = AsyncOpenAI(base_url=f"{url}/v1", api_key="interop")

    async def open(self) -> None: ...

    async def take(self, turn: Turn) -> None:
        for sentence in turn.sentences:
            await self._speak(turn, sentence)
            if turn.is_over:
                return

    async def _speak(self, turn: Turn, sentence: str) -> None:
        async with self._client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input=sentence, response_format="pcm"
        ) as response:
            async for part in response.iter_bytes():
                turn.sound(len(part) // 2, RATE)
                if turn.is_over:
                    turn.interrupted()
                    return

    async def close(self) -> None:
        await self._client.close()


if __name__ == "__main__":
    run(OpenAi(sys.argv[1]))
