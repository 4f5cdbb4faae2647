import pytest
import torch
from torch import Tensor

from app.engine.checkpoint.build_vocoder import with_upstream_network
from app.engine.checkpoint.spec import S3GenSpec
from app.engine.s3gen.encoder import Encoder
from app.engine.s3gen.flow import MAX_FRAMES, Flow, FlowCell, FlowNet
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW, TINY_S3GEN
from tests.support.engine.fake_capture import FakeCapture
from tests.support.engine.s3gen.flow_cells import inner_cell, upstream_mel, whole_cell
from tests.support.engine.s3gen.voicing import random_vocoder, speech, voice

pytestmark = pytest.mark.full  # seconds in all

UNGUIDED = TINY_S3GEN.model_copy(update={"cfg_rate": 0.0})
SHAPES = pytest.mark.parametrize(
    "spec", [TINY_S3GEN, UNGUIDED, TINY_MEANFLOW], ids=["standard", "unguided", "meanflow"]
)


@SHAPES
@torch.inference_mode()
def test_a_whole_utterance_in_one_cell_equals_upstream(spec: S3GenSpec):
    speaker, ids = voice(1), speech(1, 75)
    upstream = with_upstream_network(random_vocoder(spec).flow, spec)
    net = FlowNet(random_vocoder(spec).flow, spec.euler_steps)
    flow = Flow(net)
    cell = whole_cell(net, speaker, ids, seed=2)
    expected = upstream_mel(upstream, spec, speaker, ids, cell.noise)
    assert expected.shape == (80, 150)
    assert float((flow.mels([cell])[0] - expected).abs().max()) <= 1e-5
    other = upstream_mel(upstream, spec, speaker, ids, cell.noise + 0.01)
    assert float((other - expected).abs().max()) > 1e-3  # the comparison can fail


@SHAPES
@torch.inference_mode()
def test_each_ragged_cell_of_a_call_equals_the_cell_alone(spec: S3GenSpec):
    net = FlowNet(random_vocoder(spec).flow, spec.euler_steps)
    flow = Flow(net)
    cells = [
        whole_cell(net, voice(1, 60), speech(1, 40), seed=1),
        inner_cell(net, voice(2, 25), speech(2, 31), seed=2),
        inner_cell(net, voice(3, 70), speech(3, 60), seed=3),
    ]
    for cell, mel in zip(cells, flow.mels(cells), strict=True):
        alone = flow.mels([cell])[0]
        assert mel.shape == (80, cell.num_new_frames)
        assert float((mel - alone).abs().max()) <= 1e-4 * float(alone.abs().max())


@torch.inference_mode()
def test_padding_leaks_unless_it_is_zeroed_after_the_embedding(monkeypatch):
    """The control of the test above. Upstream's embedding leaves a bias in the padding."""
    net = FlowNet(random_vocoder(TINY_MEANFLOW).flow, 2)
    flow = Flow(net)
    cells = [
        whole_cell(net, voice(1, 60), speech(1, 40), seed=1),
        whole_cell(net, voice(2, 25), speech(2, 31), seed=2),
    ]
    alone = flow.mels(cells[1:])[0]
    tokens = Encoder.tokens

    def unzeroed(self: Encoder, embedded: Tensor, present: Tensor, *rest: object) -> Tensor:
        return tokens(self, embedded, torch.ones_like(present), *rest)

    monkeypatch.setattr(Encoder, "tokens", unzeroed)
    leaked = flow.mels(cells)[1]
    assert float((leaked - alone).abs().max()) > 1e-3 * float(alone.abs().max())


@SHAPES
@torch.inference_mode()
def test_a_call_runs_the_network_once_per_euler_step(spec: S3GenSpec):
    modules = random_vocoder(spec).flow
    net = FlowNet(modules, spec.euler_steps)
    flow = Flow(net)
    rows: list[int] = []
    modules.decoder.estimator.final_proj.register_forward_hook(
        lambda _, inputs, __: rows.append(len(inputs[0]))
    )
    flow.mels([whole_cell(net, voice(n), speech(n, 20 + n), seed=n) for n in range(3)])
    assert rows == [6 if spec.cfg_rate > 0 else 3] * spec.euler_steps


@SHAPES
@torch.inference_mode()
def test_a_captured_solver_equals_the_plain_one(spec: S3GenSpec):
    """The shapes are padded in rows and frames, and come again. Two Euler steps are enough."""
    net, capture = FlowNet(random_vocoder(spec).flow, 2), FakeCapture()
    plain, captured = Flow(net), Flow(net, capture, max_rows=4)
    captured.warm_up(2 * 110)
    num_shapes = capture.num_captured
    assert num_shapes == 3 * 7
    cells = [
        whole_cell(net, voice(1, 60), speech(1, 40), seed=1),
        inner_cell(net, voice(2, 25), speech(2, 31), seed=2),
        inner_cell(net, voice(3, 70), speech(3, 42), seed=3),
    ]
    for batch in (cells[:1], cells[1:2], cells[:2], cells):
        for expected, mel in zip(plain.mels(batch), captured.mels(batch), strict=True):
            assert float((mel - expected).abs().max()) <= 1e-4 * float(expected.abs().max())
    assert capture.num_captured == num_shapes


@torch.inference_mode()
def test_input_that_the_modules_cannot_take_is_refused():
    net = FlowNet(random_vocoder(TINY_MEANFLOW).flow, 2)
    flow = Flow(net)
    good = whole_cell(net, voice(1), (1, 2, 3), seed=1)
    for ids in ((1, 6561, 3), (1, -1, 3)):
        with pytest.raises(ValueError, match="speech ids"):
            flow.mels([good, whole_cell(net, voice(1), ids, seed=1)])
    with pytest.raises(ValueError, match="frames"):
        flow.mels([whole_cell(net, voice(1), (5,) * (MAX_FRAMES // 2), seed=1)])
    nothing = FlowCell((), good.prompt_mel[:0], good.speaker, good.noise[:, :0], 0, 0)
    with pytest.raises(ValueError, match="at least one"):
        flow.mels([nothing])
