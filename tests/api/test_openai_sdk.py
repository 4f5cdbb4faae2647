"""OpenAI's own client against this server."""

import io

import av
import numpy as np
import openai
import pytest
import soundfile

from app.audio.formats import FORMATS
from app.audio.pcm import to_s16le
from app.errors import DuplicateSession, Overloaded
from app.voices.catalogue import OPENAI_VOICES
from tests.support.api_clients import serving
from tests.support.decoding import DELAY, FRAME, decode
from tests.support.fakes import FakeSynthesizer, tone

pytestmark = pytest.mark.full  # seconds in all

REQUEST = {"model": "english", "voice": "default", "input": "Hello there."}


@pytest.fixture
def synthesizer():
    return FakeSynthesizer()


@pytest.fixture
def client(synthesizer):
    with (
        serving(synthesizer) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
    ):
        yield client


def streamed(client, **options):
    """The body and the response of a streamed request."""
    with client.audio.speech.with_streaming_response.create(**REQUEST, **options) as response:
        return b"".join(response.iter_bytes()), response


def test_the_default_format_is_mp3(client, synthesizer):
    body, response = streamed(client)
    with av.open(io.BytesIO(body)) as container:
        decoded = np.concatenate([f.to_ndarray().ravel() for f in container.decode(audio=0)])
    assert response.headers["content-type"] == "audio/mpeg"
    assert 0 <= len(decoded) - 1105 - synthesizer.num_samples <= 576


def test_a_wav_stream_can_be_read(client, synthesizer):
    body, _ = streamed(client, response_format="wav")
    samples, rate = soundfile.read(io.BytesIO(body))
    assert (len(samples), rate) == (synthesizer.num_samples, 24_000)


def test_pcm_arrives_before_the_rest_is_made(client, synthesizer):
    synthesizer.hold_at = 1
    with client.audio.speech.with_streaming_response.create(
        **REQUEST, response_format="pcm"
    ) as response:
        parts = response.iter_bytes()
        head = next(parts)
        synthesizer.wait_until_holding()
        assert synthesizer.ended == []
        synthesizer.release()
        body = head + b"".join(parts)
    assert body == to_s16le(tone(synthesizer.num_samples))


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("response_format", FORMATS)
def test_every_format_decodes(client, synthesizer, response_format, streaming):
    options = {"response_format": response_format, "extra_body": {"stream": streaming}}
    body, response = streamed(client, **options)
    rate = FORMATS[response_format].default_rate
    decoded = decode(response_format, body, rate)
    delay = DELAY.get(response_format, 0)
    expected = synthesizer.num_samples * rate / 24_000 + delay
    assert 0 <= len(decoded) - expected <= FRAME.get(response_format, 0)
    assert response.headers["content-type"] == FORMATS[response_format].content_type
    assert response.headers["x-sample-rate"] == str(rate)


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_speed_changes_the_duration(client, synthesizer, speed):
    body, _ = streamed(client, response_format="pcm", speed=speed)
    assert abs(len(body) / 2 - synthesizer.num_samples / speed) < 2048


def test_sample_rate_changes_the_rate(client, synthesizer):
    body, _ = streamed(client, response_format="wav", extra_body={"sample_rate": 8000})
    samples, rate = soundfile.read(io.BytesIO(body))
    assert (len(samples), rate) == (synthesizer.num_samples // 3, 8000)


@pytest.mark.parametrize("voice", OPENAI_VOICES)
def test_openai_voice_names_are_aliases(client, synthesizer, voice):
    client.audio.speech.create(**{**REQUEST, "voice": voice})
    assert synthesizer.requests[0].voice.name in synthesizer.card().voices


def test_server_sent_events_are_read(client):
    body, response = streamed(client, response_format="pcm", stream_format="sse")
    assert response.headers["content-type"] == "text/event-stream"
    assert body.count(b'data: {"type": "speech.audio.delta"') == 3
    assert b'"type": "speech.audio.done"' in body


def test_extra_fields_and_the_request_id_pass(client, synthesizer):
    raw = client.audio.speech.with_raw_response.create(
        **REQUEST,
        response_format="wav",
        extra_body={"stream": False, "exaggeration": 0.7, "seed": 5},
        extra_headers={"X-Request-ID": "mine"},
    )
    assert raw.request_id == "mine"
    assert soundfile.info(io.BytesIO(raw.content)).frames == synthesizer.num_samples
    (request,) = synthesizer.requests
    assert (request.sampling.exaggeration, request.sampling.seed) == (0.7, 5)


def test_closing_the_response_cancels_the_session(client, synthesizer):
    synthesizer.hold_at = 1
    with client.audio.speech.with_streaming_response.create(
        **REQUEST, response_format="pcm"
    ) as response:
        next(response.iter_bytes())
    synthesizer.wait_until_closed()
    assert [how for _, how in synthesizer.ended] == ["closed"]


@pytest.mark.parametrize(
    ("changes", "error", "param", "code"),
    [
        ({"input": ""}, openai.BadRequestError, "input", "empty_input"),
        ({"speed": 5.0}, openai.BadRequestError, "speed", "invalid_value"),
        ({"response_format": "ogg"}, openai.BadRequestError, "response_format", "invalid_value"),
        ({"instructions": "sadly"}, openai.BadRequestError, "instructions", "unsupported_field"),
        ({"extra_body": {"pitch": 1}}, openai.BadRequestError, "pitch", "unknown_field"),
        ({"voice": "alloyed"}, openai.NotFoundError, "voice", "voice_not_found"),
        ({"model": "tts-9"}, openai.NotFoundError, "model", "model_not_found"),
    ],
)
def test_a_refusal_is_an_exception_of_the_sdk(client, changes, error, param, code):
    with pytest.raises(error) as caught:
        client.audio.speech.create(**{**REQUEST, **changes})
    assert (caught.value.param, caught.value.code) == (param, code)
    assert caught.value.request_id


def test_a_duplicate_session_is_not_retried(client, synthesizer):
    synthesizer.fail_at, synthesizer.error = 0, DuplicateSession("used")
    with pytest.raises(openai.ConflictError):
        client.with_options(max_retries=2).audio.speech.create(**REQUEST)
    assert len(synthesizer.requests) == 1


def test_overload_is_retried_after_retry_after(client, synthesizer):
    class InAMoment(Overloaded):
        retry_after_s = 0

    synthesizer.fail_at, synthesizer.error = 0, InAMoment("no slot is free")
    with pytest.raises(openai.InternalServerError) as caught:
        client.with_options(max_retries=1).audio.speech.create(**REQUEST)
    assert (caught.value.status_code, caught.value.code) == (503, "overloaded")
    assert len(synthesizer.requests) == 2


def test_models_are_listed_and_retrieved(client):
    assert [model.id for model in client.models.list()] == ["english"]
    assert client.models.retrieve("english").id == "english"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")
