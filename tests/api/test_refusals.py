"""Every error that a client is told is counted once, by its code."""

from contextlib import suppress

import httpx
import pytest

from app.api.speech_bodies import StreamBroken
from app.errors import CheckpointError, ConfigError, SynthesisFailed
from tests.support.api_clients import in_process, speech
from tests.support.api_keys import bearer_of, key
from tests.support.fakes import FakeSynthesizer
from tests.support.speech_sockets import connected


async def test_every_refused_request_is_counted_by_its_code(synthesizer):
    codes: list[str] = []
    async with in_process(synthesizer, refused=codes.append) as client:
        for body, code in (
            (speech(input=""), "empty_input"),
            (speech(colour="red"), "unknown_field"),
            (speech(voice="nobody"), "voice_not_found"),
        ):
            refused = await client.post("/v1/audio/speech", json=body)
            assert refused.json()["error"]["code"] == codes[-1] == code
        await client.get("/v1/nowhere")
        await client.get("/", headers={"X-Request-ID": "no spaces"})
        assert codes[3:] == ["not_found", "invalid_value"]
        assert (await client.post("/v1/audio/speech", json=speech())).status_code == httpx.codes.OK
    assert len(codes) == 5


@pytest.mark.parametrize("fault", [ConfigError("/srv/a is wrong"), CheckpointError("/srv/a")])
async def test_an_error_that_is_for_the_operator_names_no_file_to_a_client(fault):
    async with in_process(FakeSynthesizer(error=fault, fail_at=0)) as client:
        refused = await client.post("/v1/audio/speech", json=speech())
    assert refused.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert refused.json()["error"]["code"] == fault.code
    assert "/srv" not in refused.text


async def test_a_request_without_a_key_is_counted():
    codes: list[str] = []
    keys = (key("red-key", "red", "red", ("speak",)),)
    async with in_process(FakeSynthesizer(), keys=keys, refused=codes.append) as client:
        await client.get("/v1/models")
        await client.get("/v1/models", headers=bearer_of("red-key"))
    assert codes == ["no_api_key"]


async def test_invalid_messages_of_a_socket_are_counted(synthesizer):
    codes: list[str] = []
    async with connected(synthesizer, refused=codes.append) as client:
        await client.send("nonsense")
        await client.until("error")
        await client.start(voice="nobody")
        await client.until("error")
    assert codes == ["invalid_value", "voice_not_found"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/audio/speech", speech()),
        ("/v1/audio/speech", speech(stream_format="sse")),
        ("/api/vox_speak_wav_stream", {"text": "Hello. " * 60}),
    ],
)
async def test_an_error_after_the_first_sound_is_counted(path, body):
    codes: list[str] = []
    broken = FakeSynthesizer(fail_at=2, error=SynthesisFailed("lost"), segment_per_chunk=True)
    async with in_process(broken, refused=codes.append) as client:
        with suppress(StreamBroken):  # raw audio tells it by breaking off
            await client.post(path, json=body)
    assert codes == ["synthesis_failed"]
