"""The pipeline tells T3 how much sound a listener still has to hear."""

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
from app.engine import pipeline
from app.engine.stages.vocoder import VocoderStage

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


async def test_the_lead_of_a_segment_is_the_sound_still_to_be_heard(vocoder, monkeypatch):
    now_s = [100.0]
    monkeypatch.setattr(pipeline, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
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
    monkeypatch.setattr(pipeline, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    source = ScriptedTokens()
    request = SynthesisRequest(
        KEY, ("a" * 25, "b" * 25, "c" * 25), VoiceRef("ada"), SamplingParams()
    )
    async with aclosing(vocoder.pipeline(source).speak(request)) as chunks:
        async for _ in chunks:
            now_s[0] += 60.0
    assert source.asked[2].lead_s == 0.0
