"""Every socket is paced: what a listener who left the socket open has not heard is bounded."""

import pytest

from tests.support.fakes import FakeSynthesizer
from tests.support.vendor_sockets import vendor_client

TEXT = "This is the first sentence of it all. And this is the second one. "
RAW = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000}
SOCKETS = {
    "/v1/audio/speech/stream": [
        {"type": "start", "context_id": "c", "voice": "default"},
        {"type": "text", "context_id": "c", "text": TEXT},
        {"type": "flush", "context_id": "c"},
    ],
    "/tts/websocket": [
        {
            "transcript": TEXT,
            "context_id": "c",
            "continue": False,
            "voice": {"mode": "id", "id": "default"},
            "output_format": RAW,
        }
    ],
    "/v1/text-to-speech/default/multi-stream-input?output_format=pcm_24000": [
        {"text": TEXT, "context_id": "c", "flush": True}
    ],
    "/v1/speak": [{"type": "Speak", "text": TEXT}, {"type": "Flush"}],
    "/jambonz/synthesize": [{"type": "stream", "text": TEXT}, {"type": "flush"}],
}
NUM_TAKES = 2


@pytest.mark.parametrize("path", SOCKETS)
async def test_each_take_is_paced_and_knows_what_the_listener_has_left(path):
    synthesizer = FakeSynthesizer()
    async with vendor_client(synthesizer, path) as client:
        for message in SOCKETS[path]:
            await client.send(**message)
        while len(synthesizer.requests) < NUM_TAKES:
            await client.next()
    takes = synthesizer.requests
    assert [take.is_paced for take in takes] == [True] * NUM_TAKES
    assert takes[0].lead_s == 0.0
    assert 0.0 < takes[1].lead_s <= 0.6  # the first take had 0.6 s of sound
