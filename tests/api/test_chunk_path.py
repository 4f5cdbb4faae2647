"""How many generators a chunk passes in the ingress, counted on the stack of the sending task."""

import inspect
import sys
from contextlib import aclosing

import pytest

from app.sessions.delivery import Delivery
from tests.support.api_clients import in_process, speech
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.speech_sockets import connected

MAX_GENERATORS = 4
BELOW = 1  # deployments.streams.owned, which runs in a task of its own


@pytest.fixture
def generators(monkeypatch):
    """The async generators that each chunk passes above the stages, innermost first."""
    seen = []
    add = Delivery.add

    def counted(delivery, chunk):
        frame, names = sys._getframe(), []
        while frame is not None:
            if frame.f_code.co_flags & inspect.CO_ASYNC_GENERATOR:
                names.append(frame.f_code.co_qualname)
            frame = frame.f_back
        seen.append(names)
        add(delivery, chunk)

    monkeypatch.setattr(Delivery, "add", counted)
    return seen


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/audio/speech", speech()),
        ("/v1/audio/speech", speech(stream_format="sse")),
        ("/v1/audio/speech", speech(stream=False)),
        ("/api/vox_speak_wav", {"text": "Hello there."}),
        ("/api/vox_speak_wav_stream", {"text": "Hello there."}),
    ],
)
async def test_a_chunk_passes_few_generators_on_its_way_into_an_answer(generators, path, body):
    async with in_process(LiveSynthesizer()) as client:
        assert (await client.post(path, json=body)).status_code == 200
    assert len(generators) == 3
    assert all(0 < len(names) <= MAX_GENERATORS - BELOW for names in generators), generators


async def test_a_chunk_passes_few_generators_on_its_way_into_a_socket(generators):
    async with connected(LiveSynthesizer()) as client:
        await client.start()
        await client.send("text", "c", text="Hello there.")
        await client.send("close", "c")
        await client.until("done")
    assert len(generators) == 3
    assert all(0 < len(names) <= MAX_GENERATORS - BELOW for names in generators), generators


class OneGeneratorMore(LiveSynthesizer):
    async def speak(self, request, words=None):
        async with aclosing(super().speak(request, words)) as chunks:
            async for chunk in chunks:
                yield chunk


async def test_an_extra_generator_is_counted(generators):
    for synthesizer in (LiveSynthesizer(), OneGeneratorMore()):
        async with in_process(synthesizer) as client:
            await client.post("/v1/audio/speech", json=speech())
    counts = [len(names) for names in generators]
    assert counts == [counts[0]] * 3 + [counts[0] + 1] * 3
