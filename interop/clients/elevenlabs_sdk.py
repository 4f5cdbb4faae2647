"""elevenlabs' SDK over HTTP, streamed. Its socket needs TLS, which the server leaves to a proxy."""

import sys

from elevenlabs.client import AsyncElevenLabs

from interop.orders import Turn, run

RATE = 24_000
VOICE = "JBFqnCBsd6RMkjVDRZzb"


class ElevenLabs:
    def __init__(self, url: str) -> None:
        self._client = AsyncElevenLabs(api_key="interop", base_url=url)

    async def open(self) -> None: ...

    async def take(self, turn: Turn) -> None:
        for sentence in turn.sentences:
            parts = self._client.text_to_speech.stream(
                VOICE, text=sentence, model_id="eleven_flash_v2_5", output_format="pcm_24000"
            )
            try:
                async for part in parts:
                    turn.sound(len(part) // 2, RATE)
                    if turn.is_over:
                        turn.interrupted()
                        return
            finally:
                await parts.aclose()

    async def close(self) -> None: ...


if __name__ == "__main__":
    run(ElevenLabs(sys.argv[1]))
