import pytest
import torch
from torch.distributions.uniform import Uniform

from app.core import SAMPLES_PER_FRAME
from app.engine.s3gen.sine_source import SineSource
from tests.support.engine.s3gen.hift_windows import REACH
from tests.support.engine.s3gen.voicing import random_vocoder

NUM_FRAMES = 200


@torch.inference_mode()
def test_the_source_with_upstreams_random_numbers_equals_upstream(monkeypatch: pytest.MonkeyPatch):
    """To the precision of upstream's phase, which is summed in float32."""
    mel2wav, draws = random_vocoder(REACH).mel2wav, torch.Generator().manual_seed(5)
    mel = torch.randn(1, 80, NUM_FRAMES, generator=draws)
    turns = torch.rand(1, 9, 1, generator=draws) * 2 * torch.pi - torch.pi
    noise = torch.randn(1, 9, NUM_FRAMES * SAMPLES_PER_FRAME, generator=draws)
    monkeypatch.setattr(Uniform, "sample", lambda *_, **__: turns.clone())
    monkeypatch.setattr(torch, "randn_like", lambda like: noise[:, : like.shape[1]])
    pitch = mel2wav.f0_predictor(mel)
    assert pitch.min() > 100  # voiced, so that the phase matters
    expected, _, _ = mel2wav.m_source(mel2wav.f0_upsamp(pitch[:, None]).mT)
    initial = turns[:, :, 0].double()
    initial[:, 0] = 0
    source = SineSource(mel2wav)
    assert torch.equal(source.pitch(mel, [NUM_FRAMES]), pitch)
    made = source.excitation(pitch, torch.zeros(1, 9, dtype=torch.float64), initial, noise.mT)
    assert float((made - expected[:, :, 0]).abs().max()) <= 2e-3


@torch.inference_mode()
def test_the_pitch_of_each_ragged_row_equals_the_row_alone():
    source, lengths = SineSource(random_vocoder(REACH).mel2wav), (30, 7, 1)
    mel = torch.randn(3, 80, 30, generator=torch.Generator().manual_seed(1))
    for row, length in enumerate(lengths):
        mel[row, :, length:] = 0
    together = source.pitch(mel, lengths)
    for row, length in enumerate(lengths):
        alone = source.pitch(mel[row : row + 1, :, :length], [length])[0]
        torch.testing.assert_close(together[row, :length], alone, rtol=1e-5, atol=1e-3)
