"""Text to sound in one process: the pipeline and the session rules, on the embedded models."""

import asyncio
from contextlib import aclosing
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest
import soundfile

from app.config import Limits, ServeArgs, VocoderSettings
from app.core import (
    SAMPLE_RATE,
    SAMPLES_PER_TOKEN,
    CancelState,
    FinishReason,
    SessionKey,
    SessionReport,
    SynthesisRequest,
    TokenRequest,
    VoiceKind,
    VoiceRef,
)
from app.engine.s3gen.ladders import LADDERS
from app.engine.stages.enrol import EnrolStage
from app.engine.synthesizer import LocalSynthesizer
from app.errors import BadRequest, DuplicateSession, NotEnrolled, NotFound
from app.sessions.registry import Registry
from tests.support.audio_samples import spoken_vowels
from tests.support.engine.speaking import TEXT, WAIT_S, request_of, until_idle
from tests.support.eventually import eventually

pytestmark = pytest.mark.full
NUM_VOICES = 10
LIMITS = Limits(first_audio_s=200.0)  # the engines yield to every other thread of the machine


def recorded(name: str) -> VoiceRef:
    return VoiceRef(name, VoiceKind.RECORDED)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("voices")
    for n in range(NUM_VOICES):
        wav = spoken_vowels(seed=n, seconds=6.0 + n / 4)
        soundfile.write(folder / f"voice-{n}.wav", wav, SAMPLE_RATE)
    enrolment = EnrolStage.open(ServeArgs(model="embedded-babble", voices=str(folder)))
    for n in range(NUM_VOICES):
        enrolment.enrol(recorded(f"voice-{n}"))
    soundfile.write(folder / "never-enrolled.wav", spoken_vowels(seed=99, seconds=6.0), SAMPLE_RATE)
    return folder


@pytest.fixture(scope="module", params=["embedded-babble", "embedded-turbo"])
def model(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def synthesizer(voices: Path):
    args = ServeArgs(
        model="embedded-babble",
        voices=str(voices),
        vocoder=VocoderSettings(slots=32, max_rows=1),
        limits=LIMITS,
    )
    synthesizer = LocalSynthesizer.open(args)
    yield synthesizer
    synthesizer.close()


async def sound(synthesizer, request) -> np.ndarray:
    async with aclosing(synthesizer.speak(request)) as chunks:
        parts = [chunk async for chunk in chunks]
    assert [part.finish is not None for part in parts] == [False] * (len(parts) - 1) + [True]
    assert [part.start for part in parts] == [
        sum(len(earlier.pcm) for earlier in parts[:i]) for i in range(len(parts))
    ]
    return np.concatenate([part.pcm for part in parts])


@pytest.mark.parametrize(
    "num_voices", [2, pytest.param(NUM_VOICES, marks=pytest.mark.long)], ids=["2", "10"]
)
async def test_many_voices_at_once_each_sound_as_alone(synthesizer, num_voices):
    def request(n: int, run: str) -> SynthesisRequest:
        how = {"exaggeration": n / 10, "seed": n, "cfg_weight": 0.0 if n % 3 == 0 else 0.5}
        return request_of(synthesizer, f"{run}-{num_voices}-{n}", recorded(f"voice-{n}"), **how)

    alone = [await sound(synthesizer, request(n, "alone")) for n in range(num_voices)]
    together = await asyncio.gather(
        *(sound(synthesizer, request(n, "together")) for n in range(num_voices))
    )
    for solo, heard in zip(alone, together, strict=True):
        np.testing.assert_array_equal(heard, solo)  # the vocoder's calls have one row
    for n in range(1, num_voices):  # the voices differ, so a mix-up would be found
        same = min(len(alone[n]), len(alone[0]))
        assert np.abs(alone[n][:same] - alone[0][:same]).max() > 0.01


async def test_the_sound_of_each_model_is_whole_tokens(model):
    synthesizer = LocalSynthesizer.open(ServeArgs(model=model, limits=LIMITS))
    try:
        voice = VoiceRef(synthesizer.card().voices[0])
        wav = await sound(synthesizer, request_of(synthesizer, "shape", voice))
    finally:
        synthesizer.close()
    assert len(wav) % SAMPLES_PER_TOKEN == 0
    assert len(wav) > SAMPLE_RATE
    assert 0.01 < np.sqrt(np.mean(wav**2)) < 0.3


async def test_segments_follow_each_other_without_a_gap(synthesizer):
    text = ("The first segment.", "The second.", "And the third one.")
    whole = await sound(synthesizer, request_of(synthesizer, "segments", text=text))
    first = await sound(synthesizer, request_of(synthesizer, "first", text=text[:1]))
    assert np.array_equal(whole[: len(first)], first)
    assert len(whole) > 2 * len(first)


async def test_a_cancel_ends_the_stream_and_reports_what_it_stopped(synthesizer, monkeypatch):
    patient = partialmethod(Registry.cancel, wait_s=WAIT_S)  # STOPPED on a busy machine too
    monkeypatch.setattr(Registry, "cancel", patient)
    request = request_of(synthesizer, "cancelled", text=(TEXT * 6,))
    stream = synthesizer.speak(request)
    heard = len((await anext(stream)).pcm)
    cancelling = asyncio.ensure_future(synthesizer.cancel(request.key))
    last = [chunk async for chunk in stream][-1]
    ack = await cancelling
    assert last.finish is FinishReason.CANCELLED
    assert ack.state is CancelState.STOPPED
    assert ack.audio_sent_ms >= heard / SAMPLE_RATE * 1000
    assert ack.tokens_generated >= ack.audio_sent_ms / 40
    assert (await synthesizer.cancel(request.key)).state is CancelState.ALREADY_DONE
    await until_idle(synthesizer)


async def test_the_report_of_a_session_has_the_speed_of_both_engines(synthesizer):
    request = request_of(synthesizer, "timed")
    await sound(synthesizer, request)
    report = await eventually(
        lambda: finished(synthesizer, request.key), WAIT_S, "the session has not ended"
    )
    health = await synthesizer.health()
    for stage in ("t3", "vocoder"):
        told, now = report.costs[stage], health.stages[stage].cost
        assert 0.5 < told.of(13) / now.of(13) < 2
    assert health.stages["vocoder"].cells in LADDERS
    assert all(health.stages[stage].bears > 0 for stage in ("t3", "vocoder"))
    assert health.realtime is (health.capacity > 0)


async def finished(synthesizer: LocalSynthesizer, key: SessionKey) -> SessionReport | None:
    report = await synthesizer.session(key)
    return report if report is not None and report.finish is not None else None


async def test_t3_begins_no_segment_of_a_cancelled_session(synthesizer):
    request = request_of(synthesizer, "between")
    await synthesizer.t3.cancel(request.key)
    second = TokenRequest(request.key, 1, TEXT, request.voice, request.sampling)
    groups = [group async for group in synthesizer.t3.tokens(second)]
    assert [(group.ids, group.finish) for group in groups] == [((), FinishReason.CANCELLED)]
    assert synthesizer.t3.engine.step_log.summary(request.key).num_steps == 0


async def test_closing_a_stream_frees_both_engines(synthesizer):
    stream = synthesizer.speak(request_of(synthesizer, "left", text=(TEXT * 6, TEXT)))
    await anext(stream)
    await stream.aclose()
    await until_idle(synthesizer)


async def test_an_id_is_single_use(synthesizer):
    await sound(synthesizer, request_of(synthesizer, "once"))
    with pytest.raises(DuplicateSession):
        await sound(synthesizer, request_of(synthesizer, "once"))


@pytest.mark.parametrize(
    ("how", "refusal"),
    [
        ({"voice": VoiceRef("nobody")}, NotFound),
        ({"voice": recorded("never-enrolled")}, NotEnrolled),
        ({"text": ("x" * 5000,)}, BadRequest),
    ],
)
async def test_an_error_of_a_stage_keeps_its_type(synthesizer, how, refusal):
    with pytest.raises(refusal):
        await sound(synthesizer, request_of(synthesizer, f"refused-{refusal.__name__}", **how))
    await until_idle(synthesizer)
