"""The answer to a good request, and to a request that fails."""

import base64
import io
import logging

import av
import numpy as np
import pytest
import soundfile

from app.audio.pcm import to_s16le, wav_header
from app.core import FinishReason, SamplingParams
from app.errors import DuplicateSession, Overloaded, SynthesisFailed, Unavailable
from tests.support.api_clients import events_of, in_process, speech
from tests.support.fakes import ENGLISH, MULTILINGUAL, TURBO, FakeSynthesizer, tone


async def post(synthesizer, headers=None, *, breaks_off=False, **changes):
    async with in_process(synthesizer, breaks_off=breaks_off) as client:
        return await client.post("/v1/audio/speech", json=speech(**changes), headers=headers)


async def test_pcm_is_the_chunks_in_order():
    synthesizer = FakeSynthesizer()
    response = await post(synthesizer, response_format="pcm")
    assert response.status_code == 200
    assert response.content == to_s16le(tone(synthesizer.num_samples))


async def test_wav_streams_with_a_header_of_unknown_length():
    synthesizer = FakeSynthesizer()
    response = await post(synthesizer, response_format="wav")
    assert response.content[:44] == wav_header(None)
    assert len(soundfile.read(io.BytesIO(response.content))[0]) == synthesizer.num_samples


async def test_mp3_is_the_default_and_decodes_to_its_duration():
    synthesizer = FakeSynthesizer()
    response = await post(synthesizer)
    with av.open(io.BytesIO(response.content)) as container:
        decoded = np.concatenate([f.to_ndarray().ravel() for f in container.decode(audio=0)])
    assert response.headers["content-type"] == "audio/mpeg"
    assert 0 <= len(decoded) - 1105 - synthesizer.num_samples <= 576


async def test_the_headers_name_the_model_the_voice_and_the_seed():
    response = await post(
        FakeSynthesizer(), {"X-Request-ID": "my-id"}, response_format="pcm", seed=7, voice="søren"
    )
    expected = {
        "content-type": "audio/pcm",
        "x-request-id": "my-id",
        "x-model": "english",
        "x-voice": "s%C3%B8ren",
        "x-sample-rate": "24000",
        "x-seed": "7",
        "cache-control": "no-store",
    }
    assert {name: response.headers[name] for name in expected} == expected


async def test_a_whole_file_has_its_true_length():
    synthesizer = FakeSynthesizer()
    response = await post(synthesizer, response_format="wav", stream=False)
    assert response.content == wav_header(synthesizer.num_samples) + to_s16le(
        tone(synthesizer.num_samples)
    )
    assert response.headers["content-length"] == str(len(response.content))
    assert response.headers["content-type"] == "audio/wav"


@pytest.mark.parametrize("response_format", ["pcm", "mp3"])
async def test_a_whole_file_is_the_collected_stream(response_format):
    streamed = await post(FakeSynthesizer(), response_format=response_format)
    whole = await post(FakeSynthesizer(), response_format=response_format, stream=False)
    assert whole.content == streamed.content


async def test_the_events_carry_the_audio_then_usage_and_timing():
    synthesizer = FakeSynthesizer()
    response = await post(synthesizer, response_format="pcm", stream_format="sse")
    *deltas, done = events_of(response.text)
    audio = b"".join(base64.b64decode(delta["audio"]) for delta in deltas)
    assert response.headers["content-type"] == "text/event-stream"
    assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
    assert audio == to_s16le(tone(synthesizer.num_samples))
    assert done["type"] == "speech.audio.done"
    assert done["usage"] == {"input_tokens": 12, "output_tokens": 15, "total_tokens": 27}
    assert done["finish_reason"] == "stop"
    assert done["timing"]["audio_ms"] == 600.0
    assert 0 <= done["timing"]["first_audio_ms"] <= done["timing"]["total_ms"]


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
async def test_finish_reason_length_is_a_success(stream_format):
    synthesizer = FakeSynthesizer(finish=FinishReason.LENGTH)
    response = await post(synthesizer, response_format="pcm", stream_format=stream_format)
    assert response.status_code == 200
    if stream_format == "sse":
        assert events_of(response.text)[-1]["finish_reason"] == "length"


async def test_the_session_ends_before_the_last_bytes_are_sent():
    synthesizer = FakeSynthesizer()
    await post(synthesizer, {"X-Request-ID": "s"})
    assert synthesizer.ended == [("s", "finished")]


async def test_absent_fields_have_the_models_defaults():
    synthesizer = FakeSynthesizer()
    await post(synthesizer, instructions=None, speed=1, temperature=None)
    await post(synthesizer, instructions="", speed=1.0)
    first, second = (request.sampling for request in synthesizer.requests)
    assert first.seed != second.seed
    assert first == SamplingParams(seed=first.seed)


async def test_given_fields_reach_the_synthesizer():
    synthesizer = FakeSynthesizer(MULTILINGUAL)
    sampling = {
        "temperature": 0.7,
        "cfg_weight": 0,
        "exaggeration": 1.5,
        "min_p": 0.1,
        "top_p": 0.9,
        "repetition_penalty": 2,
        "max_tokens": 50,
        "seed": 3,
    }
    text = "One.  Two\tthree. " + "Four five six. " * 30
    await post(
        synthesizer,
        {"X-Request-ID": "mine"},
        model="multilingual",
        voice={"id": "anna"},
        language="de",
        input=text,
        **sampling,
    )
    (request,) = synthesizer.requests
    assert request.key == ("default", "mine")
    assert (request.voice.name, request.language) == ("anna", "de")
    assert request.sampling == SamplingParams(**sampling)
    assert " ".join(request.segments) == " ".join(text.split())
    assert len(request.segments) > 2


async def test_the_default_language_is_english():
    synthesizer = FakeSynthesizer(MULTILINGUAL)
    await post(synthesizer, model="multilingual")
    assert synthesizer.requests[0].language == "en"


async def test_turbo_takes_top_k():
    synthesizer = FakeSynthesizer(TURBO)
    await post(synthesizer, model="turbo", top_k=40)
    assert synthesizer.requests[0].sampling.top_k == 40


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("error", "status", "code", "header"),
    [
        (Overloaded("no slot is free"), 503, "overloaded", ("retry-after", "1")),
        (DuplicateSession("used", param="X-Request-ID"), 409, "duplicate_session", None),
        (SynthesisFailed("broken"), 500, "synthesis_failed", None),
        (Unavailable("the t3 engine has stopped"), 503, "unavailable", None),
    ],
)
async def test_an_error_before_the_first_sound_is_a_status(error, status, code, header, whole):
    synthesizer = FakeSynthesizer(fail_at=0, error=error)
    response = await post(synthesizer, {"X-Request-ID": "s"}, stream=not whole)
    told = response.json()["error"]
    assert (response.status_code, told["code"], told["message"]) == (status, code, error.message)
    assert told["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    assert response.headers["x-request-id"] == "s"
    assert response.headers["content-type"] == "application/json"
    assert header is None or response.headers[header[0]] == header[1]
    assert synthesizer.ended == [("s", "failed")]


async def test_a_duplicate_session_says_not_to_retry():
    response = await post(FakeSynthesizer(fail_at=0, error=DuplicateSession("used")))
    assert response.headers["x-should-retry"] == "false"


async def test_an_unexpected_error_is_logged_once_and_hides_its_message(caplog):
    synthesizer = FakeSynthesizer(fail_at=0, error=ZeroDivisionError("secret/path"))
    response = await post(synthesizer, {"X-Request-ID": "s"})
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    assert "secret" not in response.text
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors] == ["request s failed"]


@pytest.mark.parametrize("finish", [FinishReason.STOP, FinishReason.ERROR, None])
async def test_speech_without_sound_is_a_500(finish):
    response = await post(FakeSynthesizer(num_chunks=1, tokens_per_chunk=0, finish=finish))
    assert response.status_code == 500


@pytest.mark.parametrize("finish", [FinishReason.ERROR, None])
async def test_an_unfinished_whole_file_is_a_500(finish):
    response = await post(FakeSynthesizer(finish=finish), stream=False)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "synthesis_failed")


@pytest.mark.parametrize(
    ("error", "code"),
    [(SynthesisFailed("lost"), "synthesis_failed"), (KeyError(1), "internal_error")],
)
async def test_an_error_after_the_first_sound_is_the_last_event(error, code):
    synthesizer = FakeSynthesizer(fail_at=2, error=error)
    response = await post(synthesizer, breaks_off=True, response_format="pcm", stream_format="sse")
    *deltas, last = events_of(response.text)
    assert len(deltas) == 2
    assert last["type"] == "speech.audio.error"
    assert last["error"]["code"] == code


async def test_logs_hold_no_text(caplog):
    caplog.set_level(logging.DEBUG)
    await post(FakeSynthesizer(ENGLISH), input="Xylophone zebra.")
    await post(
        FakeSynthesizer(ENGLISH, fail_at=1, error=KeyError(1)),
        breaks_off=True,
        input="Xylophone zebra.",
        stream_format="sse",
    )
    assert "session" in caplog.text
    assert "ylophone" not in caplog.text


async def test_pauses_are_silence_in_the_audio():
    synthesizer = FakeSynthesizer(num_chunks=1, tokens_per_chunk=5)
    response = await post(
        synthesizer, response_format="pcm", input="[pause:100ms]Hello there.[pause:200ms]"
    )
    silence = np.zeros(2400, np.float32)
    heard = np.concatenate([silence, tone(synthesizer.num_samples), silence, silence])
    assert response.content == to_s16le(heard)
    assert synthesizer.requests[0].segments == ("Hello there.",)


async def test_a_pause_between_segments_comes_before_the_later_segment():
    synthesizer = FakeSynthesizer(num_chunks=2, tokens_per_chunk=5, segment_per_chunk=True)
    response = await post(
        synthesizer, response_format="pcm", input="Hello there.[pause:100ms]Goodbye now."
    )
    first, silence, rest = np.split(np.frombuffer(response.content, "<i2"), [4800, 7200])
    assert (first != 0).sum() > 4000
    assert not silence.any()
    assert len(rest) == 4800


async def test_strip_markdown_and_strip_emoji_remove_them():
    synthesizer = FakeSynthesizer()
    await post(synthesizer, input="**Hello** there 🙂.", strip_markdown=True, strip_emoji=True)
    await post(synthesizer, input="**Hello** there 🙂.")
    told, plain = (request.segments for request in synthesizer.requests)
    assert (told, plain) == (("Hello there.",), ("**Hello** there 🙂.",))


@pytest.mark.parametrize(("wait_s", "advice"), [(60, None), (61, "false")])
async def test_a_client_that_must_wait_long_is_told_not_to_retry_by_itself(wait_s, advice):
    response = await post(
        FakeSynthesizer(fail_at=0, error=Overloaded("full", retry_after_s=wait_s))
    )
    assert response.headers["retry-after"] == str(wait_s)
    assert response.headers.get("x-should-retry") == advice


async def test_overload_says_when_to_retry():
    synthesizer = FakeSynthesizer(fail_at=0, error=Overloaded("no sound could be made"))
    async with in_process(synthesizer) as client:
        response = await client.post("/v1/audio/speech", json=speech())
    assert (response.status_code, response.json()["error"]["code"]) == (503, "overloaded")
    assert response.headers["retry-after"]
    assert [how for _, how in synthesizer.ended] == ["failed"]
