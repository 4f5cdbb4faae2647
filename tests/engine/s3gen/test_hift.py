from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from chatterbox.models.s3gen.hifigan import HiFTGenerator
from torch import Tensor
from torch.distributions.uniform import Uniform

from app.core import SAMPLES_PER_FRAME
from app.engine.checkpoint.spec import ENGLISH
from app.engine.s3gen.hift import Hift, fold_weight_norm
from tests.engine.checkpoint.tiny import TINY_S3GEN
from tests.engine.s3gen.voicing import random_vocoder

# Upstream's kernels, hence its reach; few channels
REACH = TINY_S3GEN.model_copy(
    update={"hift": ENGLISH.s3gen.hift.model_copy(update={"base_channels": 32, "f0_channels": 32})}
)
NUM_FRAMES = 200
CUTS = (0, 24, 60, 61, 110, 160, NUM_FRAMES)


@pytest.fixture(scope="module")
def mel2wav() -> HiFTGenerator:
    return random_vocoder(REACH).mel2wav


@pytest.fixture(scope="module")
def mel() -> Tensor:
    return torch.randn(80, NUM_FRAMES, generator=torch.Generator().manual_seed(3))


def stream(hift: Hift, mel: Tensor, cuts: tuple[int, ...], source: Tensor | None = None) -> Tensor:
    """The windows' sound; `source` replaces the carried one."""
    state, parts = hift.start(1, 0), []
    for start, end in pairwise(cuts):
        state, window = hift.window(state, mel[:, start:end], is_last=end == cuts[-1])
        if window is not None:
            if source is not None:
                first = end - window.mel.shape[1]
                window = replace(
                    window, source=source[first * SAMPLES_PER_FRAME : end * SAMPLES_PER_FRAME]
                )
            parts += hift.decode([window])
    return torch.cat(parts)


def far(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


@torch.inference_mode()
def test_windows_sound_like_the_whole_for_the_same_mel_and_source(mel2wav: HiFTGenerator, mel):
    hift = Hift(mel2wav, halo=15)
    _, window = hift.window(hift.start(1, 0), mel, is_last=True)
    whole = hift.decode([window])[0]
    assert whole.abs().max() > 0.05
    assert far(stream(hift, mel, CUTS, window.source), whole) <= 1e-5


@torch.inference_mode()
def test_windows_that_carry_their_own_source_sound_like_the_whole(mel2wav: HiFTGenerator, mel):
    hift = Hift(mel2wav, halo=15)
    assert far(stream(hift, mel, CUTS), stream(hift, mel, (0, NUM_FRAMES))) <= 1e-5


@torch.inference_mode()
def test_a_halo_that_is_too_short_is_heard(mel2wav: HiFTGenerator, mel):
    """The control of the two tests above."""
    hift = Hift(mel2wav, halo=4)
    assert far(stream(hift, mel, CUTS), stream(hift, mel, (0, NUM_FRAMES))) > 1e-3


@torch.inference_mode()
def test_a_whole_decode_is_upstreams_given_its_source(mel):
    upstream = random_vocoder(REACH).mel2wav
    expected, source = upstream.inference(mel[None])
    hift = Hift(random_vocoder(REACH).mel2wav, halo=15)
    assert far(stream(hift, mel, (0, NUM_FRAMES), source[0, 0]), expected[0]) <= 1e-5
    assert far(stream(hift, mel, CUTS, source[0, 0]), expected[0]) <= 1e-5


@torch.inference_mode()
def test_the_source_is_upstreams_given_its_draws(mel2wav: HiFTGenerator, mel, monkeypatch):
    """To the precision of upstream's phase, which it sums in float32."""
    draws = torch.Generator().manual_seed(5)
    turns = torch.rand(1, 9, 1, generator=draws) * 2 * torch.pi - torch.pi
    noise = torch.randn(1, 9, NUM_FRAMES * SAMPLES_PER_FRAME, generator=draws)
    monkeypatch.setattr(Uniform, "sample", lambda *_, **__: turns.clone())
    monkeypatch.setattr(torch, "randn_like", lambda like: noise[:, : like.shape[1]])
    pitch = mel2wav.f0_predictor(mel[None])
    assert pitch.min() > 100  # voiced: the phase is heard
    expected, _, _ = mel2wav.m_source(mel2wav.f0_upsamp(pitch[:, None]).mT)
    initial = turns[0, :, :, None].double()
    initial[0] = 0
    source = Hift(mel2wav, halo=15).source(
        pitch[0], torch.zeros(9, dtype=torch.float64), initial, noise[0].T
    )
    assert far(source, expected[0, :, 0]) <= 2e-3


@torch.inference_mode()
def test_equal_windows_share_a_call_and_unequal_ones_keep_their_order(mel2wav, mel):
    hift = Hift(mel2wav, halo=15)
    mels = [mel[:, :40], mel[:, 40:90], mel[:, 90:130]]
    states = [hift.start(index, 0) for index in range(3)]
    windows = [hift.window(*pair, is_last=True)[1] for pair in zip(states, mels, strict=True)]
    calls: list[int] = []
    hook = mel2wav.conv_pre.register_forward_hook(
        lambda _, inputs, __: calls.append(len(inputs[0]))
    )
    together = hift.decode(windows)
    hook.remove()
    assert sorted(calls) == [1, 2]
    for window, wave in zip(windows, together, strict=True):
        assert far(wave, hift.decode([window])[0]) <= 1e-6


def test_folding_weight_norm_is_exact_and_leaves_none():
    mel2wav = random_vocoder(REACH).mel2wav
    before = mel2wav.conv_pre.weight.detach().clone()
    fold_weight_norm(mel2wav)
    assert torch.equal(mel2wav.conv_pre.weight, before)
    assert not [name for name in mel2wav.state_dict() if "parametrizations" in name]
