"""The pipeline tells T3 how much sound a listener still has to hear."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import SimpleNamespace

import pytest

from app.config import ServeArgs
from app.core import (
    FinishReason,
    SamplingParams,
    SessionKey,
    SpeechTokens,
    SynthesisRequest,
    TokenRequest,
    VoiceRef,
)
from app.engine import pipeline, playback
from app.engine.stages.vocoder import VocoderStage
from app.engine.start import StreamStart

pytestmark = pytest.mark.full  # seconds in all

KEY = SessionKey("default", "a")


class ScriptedTokens:
    """A T3 that gives one token per letter of a segment, and records its requests."""

    def __init__(self) -> None:
        self.asked: list[TokenRequest] = []

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        self.asked.append(request)
        ids = tuple(range(len(request.text)))
        yield SpeechTokens(request.key, request.segment, 0, ids, FinishReason.STOP)


@pytest.fixture(scope="module")
def vocoder():
    stage = VocoderStage.open(ServeArgs(model="embedded-babble"), "cpu")
    stage.start()
    yield stage
    stage.close()


def use_clock(monkeypatch, now_s: list[float]) -> None:
    clock = SimpleNamespace(monotonic=lambda: now_s[0])
    monkeypatch.setattr(pipeline, "time", clock)
    monkeypatch.setattr(playback, "time", clock)


async def test_the_lead_of_a_segment_is_the_sound_still_to_be_heard(vocoder, monkeypatch):
    now_s = [100.0]
    use_clock(monkeypatch, now_s)
    source = ScriptedTokens()
    request = SynthesisRequest(
        KEY, ("a" * 50, "b" * 25, "c" * 25), VoiceRef("ada"), SamplingParams()
    )
    async with aclosing(vocoder.pipeline(source).speak(request)) as chunks:
        async for _ in chunks:
            now_s[0] = 101.5  # playback began at 100
    assert [asked.segment for asked in source.asked] == [0, 1, 2]
    assert [asked.lead_s for asked in source.asked] == [0.0, 2.0, pytest.approx(3.0 - 1.5)]


async def test_the_lead_of_a_listener_that_ran_dry_is_zero(vocoder, monkeypatch):
    now_s = [100.0]
    use_clock(monkeypatch, now_s)
    source = ScriptedTokens()
    request = SynthesisRequest(
        KEY, ("a" * 25, "b" * 25, "c" * 25), VoiceRef("ada"), SamplingParams()
    )
    async with aclosing(vocoder.pipeline(source).speak(request)) as chunks:
        async for _ in chunks:
            now_s[0] += 60.0
    assert source.asked[2].lead_s == 0.0


@pytest.mark.parametrize("speed", [0.25, 1.0, 2.0])
async def test_the_lead_is_in_the_listeners_seconds_with_the_pauses(vocoder, speed):
    source = ScriptedTokens()
    request = SynthesisRequest(
        KEY,
        ("a" * 25, "b" * 25),
        VoiceRef("ada"),
        SamplingParams(),
        speed=speed,
        pauses_s=(0.5, 3.0, 1.0),
    )
    async with aclosing(vocoder.pipeline(source).speak(request)) as chunks:
        async for _ in chunks:
            pass
    assert [asked.speed for asked in source.asked] == [speed, speed]
    assert source.asked[0].lead_s == pytest.approx(0.5 / speed)
    assert source.asked[1].lead_s == pytest.approx(4.5 / speed, abs=0.5)


@pytest.mark.parametrize("is_paced", [True, False])
async def test_t3_is_asked_for_a_segment_when_the_listener_is_near(vocoder, monkeypatch, is_paced):
    """14 s of sound come at once, and T3 may be 10 s ahead: less a second, so that it can run."""
    now_s, asked_s = [100.0], []
    use_clock(monkeypatch, now_s)

    async def sleep(delay_s):
        now_s[0] += delay_s
        await pause(0)

    monkeypatch.setattr(
        StreamStart, "plays_s", lambda start, reserve=1: start.now()
    )  # on any machine
    pause = asyncio.sleep
    monkeypatch.setattr(pipeline, "asyncio", AsyncioWith(sleep))

    class Source(ScriptedTokens):
        def tokens(self, request):
            asked_s.append(now_s[0])
            return super().tokens(request)

    request = SynthesisRequest(
        KEY, ("a" * 350, "b" * 25), VoiceRef("ada"), SamplingParams(), is_paced=is_paced
    )
    source = Source()
    async with aclosing(vocoder.pipeline(source).speak(request)) as chunks:
        async for _ in chunks:
            pass
    assert asked_s == pytest.approx([100.0, 105.0 if is_paced else 100.0])
    assert source.asked[1].lead_s == pytest.approx(9.0 if is_paced else 14.0)


class AsyncioWith:
    """The module, with another `sleep`."""

    def __init__(self, sleep):
        self.sleep = sleep

    def __getattr__(self, name):
        return getattr(asyncio, name)
