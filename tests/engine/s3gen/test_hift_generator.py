from collections.abc import Sequence

import pytest
import torch

from app.core import SAMPLES_PER_FRAME
from app.engine.s3gen.hift_generator import (
    HiftGenerator,
    Keep,
    Rows,
    fold_weight_norm,
    stage_margins,
)
from tests.support.engine.s3gen.hift_windows import REACH
from tests.support.engine.s3gen.voicing import random_vocoder

LENGTHS = (60, 33, 48, 1)


def draw() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    mel = torch.randn(len(LENGTHS), 80, max(LENGTHS), generator=generator)
    source = torch.randn(len(LENGTHS), max(LENGTHS) * SAMPLES_PER_FRAME, generator=generator)
    for row, length in enumerate(LENGTHS):
        mel[row, :, length:] = 0
    return mel, 0.1 * source


@torch.inference_mode()
def worst_row(keeps: Sequence[Keep]) -> float:
    """The largest difference of one ragged call from upstream's decode of each row alone."""
    upstream, (mel, source) = random_vocoder(REACH).mel2wav, draw()
    decoded = HiftGenerator(random_vocoder(REACH).mel2wav).decode(mel, source, LENGTHS, keeps)
    worst = 0.0
    for row, (length, keep) in enumerate(zip(LENGTHS, keeps, strict=True)):
        own, samples = mel[row : row + 1, :, :length], length * SAMPLES_PER_FRAME
        alone = upstream.decode(x=own, s=source[row, None, None, :samples])[0]
        wanted = alone[keep.start * SAMPLES_PER_FRAME : keep.end * SAMPLES_PER_FRAME]
        assert decoded[row].shape == wanted.shape
        worst = max(worst, float((decoded[row] - wanted).abs().max()))
    return worst


WHOLE = [Keep(0, length) for length in LENGTHS]
PARTS = [Keep(15, 45), Keep(0, 18), Keep(20, 21), Keep(0, 1)]


@pytest.mark.parametrize("keeps", [WHOLE, PARTS], ids=["whole", "parts"])
def test_each_row_of_a_ragged_call_equals_upstreams_decode(keeps: Sequence[Keep]):
    assert worst_row(keeps) <= 1e-5


def test_padding_that_is_not_cut_changes_a_short_row(monkeypatch: pytest.MonkeyPatch):
    """A control of the test above."""
    monkeypatch.setattr(Rows, "cut", lambda _, x, *rate: x)
    assert worst_row(WHOLE) > 1e-3


def test_trimming_without_a_margin_changes_the_sound(monkeypatch: pytest.MonkeyPatch):
    """Another control."""
    trimmed = Rows.trimmed
    monkeypatch.setattr(Rows, "trimmed", lambda rows, margin: trimmed(rows, 0))
    assert worst_row(PARTS) > 1e-4


def test_later_stages_need_a_small_margin():
    assert stage_margins(random_vocoder(REACH).mel2wav)[1:] == [4, 2]


def test_folding_weight_norm_is_exact_and_removes_it():
    mel2wav = random_vocoder(REACH).mel2wav
    before = mel2wav.conv_pre.weight.detach().clone()
    fold_weight_norm(mel2wav)
    assert torch.equal(mel2wav.conv_pre.weight, before)
    assert not [name for name in mel2wav.state_dict() if "parametrizations" in name]
