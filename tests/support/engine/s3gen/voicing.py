"""Small vocoders, voices and tokens for the tests of this room."""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from app.config import VocoderSettings
from app.core import FinishReason, SessionKey, SpeechTokens
from app.engine.checkpoint.build_vocoder import build_flow, build_hift
from app.engine.checkpoint.components import Vocoder
from app.engine.checkpoint.spec import S3GenSpec
from app.engine.conditionals import S3GenConditionals
from app.engine.s3gen.engine import (
    OpenSegment,
    PushTokens,
    SegmentAudio,
    VocoderEngine,
    build_vocoder_engine,
)

SETTINGS = VocoderSettings(first_cell=12, max_cell=24, prompt_s=1.0, left_tokens=10)


def random_vocoder(spec: S3GenSpec, seed: int = 0) -> Vocoder:
    """Random weights, but a pitch that rises above the voicing threshold and moves."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vocoder = Vocoder(build_flow(spec), build_hift(spec.hift))
    classifier = vocoder.mel2wav.f0_predictor.classifier
    with torch.no_grad():
        classifier.weight.mul_(300)
        classifier.bias.fill_(180)
    return vocoder


def voice(seed: int, num_tokens: int = 60) -> S3GenConditionals:
    generator = torch.Generator().manual_seed(seed)
    return S3GenConditionals(
        torch.randint(0, 6561, (num_tokens,), generator=generator),
        torch.randn(2 * num_tokens, 80, generator=generator),
        torch.randn(192, generator=generator),
    )


def speech(seed: int, num_tokens: int) -> tuple[int, ...]:
    generator = torch.Generator().manual_seed(1000 + seed)
    return tuple(torch.randint(0, 6561, (num_tokens,), generator=generator).tolist())


def engine_of(
    spec: S3GenSpec,
    settings: VocoderSettings = SETTINGS,
    seed: int = 0,
    device: torch.device | None = None,
) -> VocoderEngine:
    vocoder = random_vocoder(spec, seed)
    if device is not None:
        vocoder.flow.to(device)
        vocoder.mel2wav.to(device)
    return build_vocoder_engine(vocoder, settings, spec.euler_steps)


def session(name: str) -> SessionKey:
    return SessionKey("default", name)


def opening(name: str, speaker: int, segment: int = 0, *, fade_in: bool = True) -> OpenSegment:
    return OpenSegment(
        session(name), segment, f"voice-{speaker}", voice(speaker), seed=speaker, fade_in=fade_in
    )


def pushes(
    name: str,
    ids: Sequence[int],
    groups: Iterable[int] = (),
    segment: int = 0,
    finish: FinishReason | None = FinishReason.STOP,
) -> list[PushTokens]:
    """`ids` in groups of the given sizes, the rest in one; the last message ends the segment."""
    borders = [0, *itertools.accumulate(groups), len(ids)]
    return [
        PushTokens(
            SpeechTokens(
                session(name),
                segment,
                start,
                tuple(ids[start:end]),
                finish if index == len(borders) - 2 else None,
            )
        )
        for index, (start, end) in enumerate(itertools.pairwise(borders))
    ]


def drain(engine: VocoderEngine) -> list[SegmentAudio]:
    items = []
    while engine.has_work():
        items += engine.step()
    return items


def say(
    engine: VocoderEngine, name: str, speaker: int, ids: Sequence[int], groups: Iterable[int] = ()
) -> list[SegmentAudio]:
    """One segment alone, its tokens pushed group by group."""
    engine.receive(opening(name, speaker))
    items = []
    for push in pushes(name, ids, groups):
        engine.receive(push)
        items += drain(engine)
    return items


def joined(items: Iterable[SegmentAudio]) -> NDArray[np.float32]:
    return np.concatenate([item.pcm for item in items])
