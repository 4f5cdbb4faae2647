"""What the pipeline tells T3 about the sound that a listener still has to hear."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import SimpleNamespace

import pytest

from app.config import ServeArgs
from app.core import FinishReason, SamplingParams, SessionKey, SpeechTokens, SynthesisRequest
from app.core import TokenRequest as Request
from app.engine import pipeline
from app.engine.stages.vocoder import VocoderStage

KEY = SessionKey("default", "a")


class ScriptedTokens:
    """A T3 that says as many tokens as a segment has letters, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    async def tokens(self, request: Request) -> AsyncGenerator[SpeechTokens, None]:
        self.asked.append(request)
        ids = tuple(range(len(request.text)))
        yield SpeechTokens(request.key, request.segment, 0, ids, FinishReason.STOP)


@pytest.fixture(scope="module")
def vocoder():
    stage = VocoderStage.open(ServeArgs(model="embedded-babble"), "cpu")
    yield stage
    stage.close()


async def test_a_later_segment_is_wanted_when_the_earlier_ones_have_been_heard(
    vocoder, monkeypatch
):
    now_s = [100.0]
    monkeypatch.setattr(pipeline, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    source = ScriptedTokens()
    request = SynthesisRequest(KEY, ("a" * 50, "b" * 25, "c" * 25), "ada", SamplingParams())
    async with aclosing(vocoder.pipeline(source).speak(request)) as chunks:
        async for _ in chunks:
            now_s[0] = 101.5  # heard since 100
    assert [asked.segment for asked in source.asked] == [0, 1, 2]
    assert [asked.lead_s for asked in source.asked] == [0.0, 2.0, pytest.approx(3.0 - 1.5)]


async def test_who_listens_more_slowly_than_sound_comes_is_never_less_than_out_of_it(
    vocoder, monkeypatch
):
    now_s = [100.0]
    monkeypatch.setattr(pipeline, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    source = ScriptedTokens()
    request = SynthesisRequest(KEY, ("a" * 25, "b" * 25, "c" * 25), "ada", SamplingParams())
    async with aclosing(vocoder.pipeline(source).speak(request)) as chunks:
        async for _ in chunks:
            now_s[0] += 60.0
    assert source.asked[2].lead_s == 0.0
