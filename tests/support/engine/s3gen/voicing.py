"""Small vocoders with random weights, and voices, tokens and messages for them."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from app.config import VocoderSettings
from app.core import FinishReason, SessionKey, SpeechTokens
from app.engine.checkpoint.build_vocoder import (
    build_flow,
    build_hift,
    build_upstream_flow,
)
from app.engine.checkpoint.components import Vocoder
from app.engine.checkpoint.spec import S3GenSpec
from app.engine.conditionals import S3GenConditionals
from app.engine.s3gen.build import build_vocoder_engine
from app.engine.s3gen.engine import VocoderEngine
from app.engine.s3gen.messages import OpenSegment, SegmentAudio
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW, TINY_S3GEN

SETTINGS = VocoderSettings(policy="window", cells=(12, 24), prompt_s=1.0, left_tokens=10)
FULL = SETTINGS.model_copy(update={"policy": "full"})
CHUNKED = SETTINGS.model_copy(update={"policy": "chunked"})
EVERY_POLICY = pytest.mark.parametrize(
    ("spec", "settings"),
    [
        pytest.param(spec, settings, id=f"{name}-{settings.policy}", marks=marks)
        for name, spec, marks in (
            ("standard", TINY_S3GEN, pytest.mark.full),  # ten Euler steps of two passes
            ("meanflow", TINY_MEANFLOW, ()),
        )
        for settings in (SETTINGS, FULL, CHUNKED)
    ],
)


def random_vocoder(spec: S3GenSpec) -> Vocoder:
    """Random weights, with a pitch that varies above the voicing threshold."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        drawn, hift = build_upstream_flow(spec), build_hift(spec.hift)
        vocoder = Vocoder(build_flow(spec), hift)
    vocoder.flow.load_state_dict(drawn.state_dict())
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
    device: torch.device | None = None,
    **options: Any,
) -> VocoderEngine:
    """`options`: of `build_vocoder_engine`."""
    vocoder = random_vocoder(spec)
    if device is not None:
        vocoder.flow.to(device)
        vocoder.mel2wav.to(device)
    return build_vocoder_engine(vocoder, settings, spec.euler_steps, **options)


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
) -> list[SpeechTokens]:
    """`ids` in groups of these sizes, then the rest in one. The last group has `finish`."""
    borders = [0, *itertools.accumulate(groups), len(ids)]
    return [
        SpeechTokens(
            session(name),
            segment,
            start,
            tuple(ids[start:end]),
            finish if index == len(borders) - 2 else None,
        )
        for index, (start, end) in enumerate(itertools.pairwise(borders))
    ]


def push(engine: VocoderEngine, name: str, ids: Sequence[int], **options: Any) -> None:
    """`options`: of `pushes`."""
    for group in pushes(name, ids, **options):
        engine.receive(group)


def begin(engine: VocoderEngine, name: str, speaker: int, num_tokens: int, **options: Any) -> None:
    """Open a session's first segment and push random tokens. `options`: of `pushes`."""
    engine.receive(opening(name, speaker))
    push(engine, name, speech(speaker, num_tokens), **options)


def drain(engine: VocoderEngine) -> list[SegmentAudio]:
    items = []
    while engine.has_work():
        items += engine.step()
    return items


def say(
    engine: VocoderEngine, name: str, speaker: int, ids: Sequence[int], groups: Iterable[int] = ()
) -> list[SegmentAudio]:
    """One segment alone. Each group of tokens is voiced before the next is pushed."""
    engine.receive(opening(name, speaker))
    items = []
    for group in pushes(name, ids, groups):
        engine.receive(group)
        items += drain(engine)
    return items


def joined(items: Iterable[SegmentAudio], name: str | None = None) -> NDArray[np.float32]:
    """The sound of all items, or of one session's."""
    return np.concatenate([item.pcm for item in items if name is None or item.key == session(name)])


def far(wave: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The largest difference, as a share of the expected peak."""
    return float(np.abs(wave - expected).max() / np.abs(expected).max())
