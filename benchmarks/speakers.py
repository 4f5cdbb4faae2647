"""Paced speech of both engines in this process, or of a running server, as a benchmark asks for it.

Knows nothing about what is measured.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

import httpx

from app.core import SAMPLE_RATE, SessionKey, SynthesisRequest, VoiceRef
from app.engine.synthesizer import LocalSynthesizer
from app.model_card import ModelCard
from app.text.segments import segment
from benchmarks.players import first_voice


class Speaker(Protocol):
    def listen(self, text: str, name: str) -> AsyncGenerator[float, None]:
        """Seconds of sound, as they come, at most a few seconds before they are heard."""

    async def cancel(self, name: str) -> None: ...


def request_of(
    card: ModelCard, text: str, name: str, *, is_paced: bool, is_held: bool = False
) -> SynthesisRequest:
    """In the first voice and language of the model, with its defaults."""
    return SynthesisRequest(
        SessionKey("benchmark", name),
        segment(text, max_chars=card.max_segment_chars),
        VoiceRef(card.voices[0]),
        card.defaults,
        card.languages[0] if card.languages else None,
        is_paced=is_paced,
        is_held=is_held,
    )


class LocalSpeaker:
    """Both engines in this process."""

    def __init__(self, synthesizer: LocalSynthesizer) -> None:
        self._synthesizer = synthesizer

    async def listen(self, text: str, name: str) -> AsyncGenerator[float, None]:
        request = request_of(self._synthesizer.card(), text, name, is_paced=True)
        async with aclosing(self._synthesizer.speak(request)) as chunks:
            async for chunk in chunks:
                if len(chunk.pcm):
                    yield len(chunk.pcm) / SAMPLE_RATE

    async def cancel(self, name: str) -> None:
        await self._synthesizer.cancel(SessionKey("benchmark", name))


class ServedSpeaker:
    """A running server."""

    def __init__(self, client: httpx.AsyncClient, model: str, voice: str) -> None:
        self._client = client
        self._body = {"model": model, "voice": voice, "response_format": "pcm"}

    @classmethod
    async def of(cls, client: httpx.AsyncClient) -> "ServedSpeaker":
        """With the server's first model and voice."""
        return cls(client, *await first_voice(client))

    async def listen(self, text: str, name: str) -> AsyncGenerator[float, None]:
        body, headers = self._body | {"input": text}, {"X-Request-ID": name}
        call = self._client.stream("POST", "/v1/audio/speech", json=body, headers=headers)
        async with call as response:
            response.raise_for_status()
            async for part in response.aiter_raw():
                yield len(part) / 2 / SAMPLE_RATE

    async def cancel(self, name: str) -> None:
        await self._client.post(f"/cancel/{name}")  # 404: it had not begun
