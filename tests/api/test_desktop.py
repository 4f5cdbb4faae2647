"""The desktop app's routes: whole files, streams of files, and the stop of all speech."""

import base64
import io
import json

import httpx
import pytest
import soundfile

from app.errors import Overloaded, SynthesisFailed
from tests.support.api_clients import events_of, in_process, serving
from tests.support.fakes import FakeSynthesizer

TEXT = " ".join(f"This is the sentence with number {n}, and it is not so short." for n in range(9))


async def post(path, synthesizer=None, body=None, **options):
    async with in_process(synthesizer or FakeSynthesizer(), **options) as client:
        return await client.post(
            f"/api/{path}", json={"text": "Hello there."} if body is None else body
        )


async def test_vox_speak_wav_answers_with_one_wav_file():
    synthesizer = FakeSynthesizer()
    response = await post("vox_speak_wav", synthesizer)
    assert response.headers["content-type"] == "audio/wav"
    assert soundfile.info(io.BytesIO(response.content)).frames == synthesizer.num_samples
    assert synthesizer.requests[0].voice.name == "default"


async def test_vox_speak_wav_stream_sends_one_wav_file_per_segment():
    synthesizer = FakeSynthesizer(num_chunks=4, segment_per_chunk=True)
    response = await post("vox_speak_wav_stream", synthesizer, {"text": TEXT, "voice": "anna"})
    *chunks, done = events_of(response.text)
    assert response.headers["content-type"] == "text/event-stream"
    total = len(synthesizer.requests[0].segments)
    assert [(chunk["index"], chunk["total"]) for chunk in chunks] == [(n, total) for n in range(4)]
    for chunk in chunks:
        wav = soundfile.info(io.BytesIO(base64.b64decode(chunk["audio"])))
        assert (wav.frames, wav.samplerate) == (synthesizer.num_samples // 4, 24_000)
    assert (done["type"], done["finish_reason"]) == ("done", "stop")
    assert 3 >= max(segment.count(".") for segment in synthesizer.requests[0].segments) >= 2


@pytest.mark.parametrize("path", ["vox_speak_wav", "vox_speak_wav_stream"])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "text"),
        ({"text": ""}, "input"),
        ({"text": "Hi.", "voice": "nobody"}, "voice"),
        ({"text": "Hi.", "x": 1}, "x"),
        ({"text": "Hi.", "response_format": "mp3"}, "response_format"),
    ],
)
async def test_a_wrong_field_is_named(path, body, param):
    response = await post(path, body=body)
    assert response.status_code in (400, 404)
    assert response.json()["error"]["param"] == param


async def test_an_error_is_a_status_before_the_first_file_and_an_event_after_it():
    early = FakeSynthesizer(fail_at=0, error=Overloaded("full"))
    assert (await post("vox_speak_wav_stream", early)).status_code == 503
    for error in (SynthesisFailed("lost"), ValueError("a codec's")):
        late = FakeSynthesizer(fail_at=2, error=error, segment_per_chunk=True)
        broken = await post("vox_speak_wav_stream", late, {"text": TEXT}, breaks_off=True)
        told = events_of(broken.text)
        assert [event["type"] for event in told] == ["chunk", "error"]


@pytest.mark.parametrize("path", ["vox_stop", "vox_stop_speak", "stop_all_vox"])
def test_a_stop_cancels_the_sessions_of_its_tenant(path):
    synthesizer = FakeSynthesizer(num_chunks=4, hold_at=2, segment_per_chunk=True)
    with serving(synthesizer) as url:
        request = httpx.stream(
            "POST", f"{url}/api/vox_speak_wav_stream", json={"text": TEXT}, timeout=10
        )
        with request as response:
            lines = response.iter_lines()
            next(lines)
            synthesizer.wait_until_holding()
            assert httpx.get(f"{url}/api/tts_is_speaking").json()["is_speaking"] is True
            (stopped,) = httpx.post(f"{url}/api/{path}").json()["stopped"]
            last = [line for line in lines if line][-1]
        assert stopped["state"] == "stopped"
        assert json.loads(last.removeprefix("data: "))["finish_reason"] == "cancelled"
        assert httpx.get(f"{url}/api/tts_is_speaking").json() == {
            "is_speaking": False,
            "sessions": 0,
        }
        assert httpx.post(f"{url}/api/{path}").json() == {"stopped": []}


@pytest.mark.parametrize("path", ["vox_speak", "unload_tts", "tts_unload", "tts_load_turbo"])
async def test_an_unsupported_route_says_why(path):
    response = await post(path)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (501, "not_served")
    assert len(error["message"]) > 30
    assert response.headers["x-should-retry"] == "false"
