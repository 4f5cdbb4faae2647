"""The published sizes, with random weights, against upstream. Runs in `make test-long`."""

import pytest
import torch

from app.engine.checkpoint.full_size import TURBO
from app.engine.s3gen.flow import Flow, FlowNet
from app.engine.s3gen.hift import Hift
from tests.support.engine.s3gen.flow_cells import upstream_mel, whole_cell
from tests.support.engine.s3gen.hift_windows import decode_windows
from tests.support.engine.s3gen.voicing import random_vocoder, speech, voice


@pytest.mark.long
@torch.inference_mode()
def test_two_seconds_of_turbo_equal_upstream():
    spec = TURBO.s3gen
    vocoder, speaker, ids = random_vocoder(spec), voice(1, 25), speech(1, 50)
    net = FlowNet(vocoder.flow, spec.euler_steps)
    cell = whole_cell(net, speaker, ids, seed=2)
    mel = Flow(net).mels([cell])[0]
    expected = upstream_mel(vocoder.flow, spec, speaker, ids, cell.noise)
    assert float((mel - expected).abs().max()) <= 1e-5 * float(expected.abs().max())

    wave, source = vocoder.mel2wav.inference(expected[None])
    hift = Hift(vocoder.mel2wav, halo=15)
    whole = decode_windows(hift, expected, (0, 100), source[0, 0])
    assert float((whole - wave[0]).abs().max()) <= 1e-5
    windows = decode_windows(hift, expected, (0, 26, 70, 100), source[0, 0])
    assert float((windows - wave[0]).abs().max()) <= 1e-5
