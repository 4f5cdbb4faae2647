"""The vocoder's flow with weights in int8: near float32, and each cell as if it were alone."""

import pytest
import torch
from torch import Tensor

from app.engine.checkpoint.source import open_checkpoint
from app.engine.checkpoint.spec import S3GenSpec
from app.engine.s3gen.flow import Flow, FlowNet
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW, TINY_S3GEN
from tests.support.engine.int8 import needs_int8
from tests.support.engine.s3gen.flow_cells import inner_cell, whole_cell
from tests.support.engine.s3gen.voicing import random_vocoder, speech, voice

pytestmark = [pytest.mark.full, needs_int8]  # seconds in all
SPECS = pytest.mark.parametrize("spec", [TINY_S3GEN, TINY_MEANFLOW], ids=["guided", "meanflow"])


def error(ours: Tensor, exact: Tensor) -> float:
    return float((ours - exact).std() / exact.std())


@SPECS
@torch.inference_mode()
def test_the_mel_in_int8_is_near_that_in_float32(spec: S3GenSpec):
    exact = FlowNet(random_vocoder(spec).flow, spec.euler_steps)
    rough = FlowNet(random_vocoder(spec).flow, spec.euler_steps, in_int8=True)
    cell = whole_cell(exact, voice(1, 30), speech(1, 25), seed=2)
    mels = [Flow(net).mels([cell])[0] for net in (exact, rough)]
    assert 1e-5 < error(mels[1], mels[0]) < 0.03


@SPECS
@torch.inference_mode()
def test_a_cell_beside_others_has_the_mel_that_it_has_alone(spec: S3GenSpec):
    """Up to the rounding of the layers in float32, which may move a value to the next level."""
    net = FlowNet(random_vocoder(spec).flow, spec.euler_steps, in_int8=True)
    flow = Flow(net)
    cells = [
        whole_cell(net, voice(1, 30), speech(1, 20), seed=1),
        inner_cell(net, voice(2, 25), speech(2, 31), seed=2),
    ]
    for cell, mel in zip(cells, flow.mels(cells), strict=True):
        assert error(mel, flow.mels([cell])[0]) < 0.01


@torch.inference_mode()
def test_the_trained_model_s_mel_in_int8_is_near_that_in_float32():
    checkpoint = open_checkpoint("embedded")
    spec, voices = checkpoint.spec.s3gen, checkpoint.voices()
    cpu = torch.device("cpu")
    exact, rough = (
        FlowNet(checkpoint.load_vocoder(cpu).flow, spec.euler_steps, in_int8=in_int8)
        for in_int8 in (False, True)
    )
    own = checkpoint.conditionals(voices[0]).s3gen
    cell = whole_cell(exact, own, speech(1, 100), seed=2)
    mels = [Flow(net).mels([cell])[0] for net in (exact, rough)]
    assert 1e-4 < error(mels[1], mels[0]) < 0.05
