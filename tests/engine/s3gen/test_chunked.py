"""The flow with caches against upstream's own modules under the same chunk mask."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, chain

import pytest
import torch
from chatterbox.models.s3gen import decoder as upstream_decoder
from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
from chatterbox.models.s3gen.transformer import upsample_encoder
from torch import Tensor

from app.core import LOOK_AHEAD_TOKENS
from app.engine.checkpoint.build_vocoder import with_upstream_network
from app.engine.checkpoint.spec import S3GenSpec
from app.engine.conditionals import S3GenConditionals
from app.engine.s3gen.chunked import ChunkCell, ChunkedFlow, FlowState
from app.engine.s3gen.flow import FlowNet
from app.engine.s3gen.ladders import LADDERS, Ladder, cells_of
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW, TINY_S3GEN
from tests.support.engine.s3gen.flow_cells import upstream_mel
from tests.support.engine.s3gen.voicing import random_vocoder, speech, voice

pytestmark = pytest.mark.full  # seconds in all

UNBOUNDED = 1000


@pytest.fixture(scope="module", params=[TINY_MEANFLOW, TINY_S3GEN], ids=["meanflow", "guided"])
def spec(request: pytest.FixtureRequest) -> S3GenSpec:
    return request.param


@pytest.fixture(scope="module")
def modules(spec: S3GenSpec) -> CausalMaskedDiffWithXvec:
    """Upstream's."""
    return with_upstream_network(random_vocoder(spec).flow, spec)


@pytest.fixture(scope="module")
def ours(spec: S3GenSpec) -> CausalMaskedDiffWithXvec:
    """The same weights around our modules of the velocity network."""
    return random_vocoder(spec).flow


@pytest.fixture(scope="module")
def net(spec: S3GenSpec, ours: CausalMaskedDiffWithXvec) -> FlowNet:
    return FlowNet(ours, spec.euler_steps)


class Utterance:
    """A text of one voice, cut into cells."""

    def __init__(self, net: FlowNet, seed: int, num_prompt: int, cuts: Sequence[int]) -> None:
        """cuts: where cells end, in tokens of the text."""
        self.voice: S3GenConditionals = voice(seed, num_prompt)
        self.ids = speech(seed, cuts[-1])
        self.prompt = tuple(self.voice.prompt_tokens.tolist())
        self.num_known = min(num_prompt, LOOK_AHEAD_TOKENS)
        self.first = num_prompt - self.num_known  # where the first cell begins
        self.speaker = net.project_speaker(self.voice.speaker_emb)
        generator = torch.Generator().manual_seed(seed)
        self.noise = torch.randn(80, 2 * (num_prompt + cuts[-1]), generator=generator)
        self._cuts = cuts

    def voice_state(self, flow: ChunkedFlow) -> FlowState:
        num_frames = 2 * len(self.prompt)
        noise = self.noise[:, :num_frames]
        return flow.voice(self.prompt, self.voice.prompt_mel, self.speaker, noise)

    def cell(self, index: int, voice: FlowState, segment: FlowState | None) -> ChunkCell:
        whole = self.prompt + self.ids
        start = self.first if index == 0 else len(self.prompt) + self._cuts[index - 1]
        end = len(self.prompt) + self._cuts[index]
        return ChunkCell(
            tokens=whole[start : end + LOOK_AHEAD_TOKENS],
            num_tokens=end - start,
            known_mel=self.voice.prompt_mel[2 * start :],
            speaker=self.speaker,
            noise=self.noise[:, 2 * start : 2 * end],
            num_new_frames=2 * (end - max(start, len(self.prompt))),
            voice=voice,
            segment=segment,
        )

    def say(self, flow: ChunkedFlow) -> Tensor:
        voice, segment, parts = self.voice_state(flow), None, []
        for index in range(len(self._cuts)):
            ((mel, segment),) = flow.mels([self.cell(index, voice, segment)])
            parts.append(mel)
        return torch.cat(parts, 1)

    def borders(self) -> list[int]:
        """Where chunks end, in tokens of prompt and text."""
        return [self.first, *(len(self.prompt) + cut for cut in self._cuts)]


def upstream_under_mask(
    modules: CausalMaskedDiffWithXvec, spec: S3GenSpec, utterance: Utterance
) -> Tensor:
    """Upstream's single pass. Each frame hears its own chunk and the chunks before it."""
    borders = torch.tensor(utterance.borders())

    def chunk_mask(x: Tensor, masks: Tensor, *_: object) -> Tensor:
        length = x.shape[1]
        per_token = length // int(borders[-1])  # of tokens, or of frames
        chunk = torch.bucketize(torch.arange(length), per_token * borders, right=True)
        return (chunk[:, None] >= chunk[None])[None] & masks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upstream_decoder, "add_optional_chunk_mask", chunk_mask)
        patch.setattr(upsample_encoder, "add_optional_chunk_mask", chunk_mask)
        return upstream_mel(modules, spec, utterance.voice, utterance.ids, utterance.noise)


@pytest.mark.parametrize("num_prompt", [60, 4, 3, 1])
@torch.inference_mode()
def test_cells_equal_upstream_under_the_chunk_mask(modules, spec, net, num_prompt: int):
    utterance = Utterance(net, 1, num_prompt, (12, 36, 60, 61, 75))
    expected = upstream_under_mask(modules, spec, utterance)
    mel = utterance.say(ChunkedFlow(net, UNBOUNDED))
    assert mel.shape == expected.shape
    assert float((mel - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


@pytest.mark.parametrize("ladder", LADDERS)
@torch.inference_mode()
def test_the_cells_of_every_ladder_equal_upstream(modules, spec, net, ladder: Ladder):
    utterance = Utterance(net, 1, 60, tuple(accumulate(cells_of(ladder, 100))))
    expected = upstream_under_mask(modules, spec, utterance)
    mel = utterance.say(ChunkedFlow(net, UNBOUNDED))
    assert float((mel - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


@torch.inference_mode()
def test_a_mask_with_other_borders_gives_another_mel(modules, spec, net):
    """The control of the test above."""
    utterance = Utterance(net, 1, 60, (12, 36, 60, 61, 75))
    other = Utterance(net, 1, 60, (14, 36, 60, 61, 75))
    sounds = [upstream_under_mask(modules, spec, each) for each in (other, utterance)]
    assert float((sounds[0] - sounds[1]).abs().max()) > 1e-3


@pytest.mark.parametrize("left_tokens", [UNBOUNDED, 10, 0])
@torch.inference_mode()
def test_each_ragged_cell_of_a_call_equals_the_cell_alone(ours, spec, net, left_tokens):
    flow = ChunkedFlow(net, left_tokens)
    utterances = [
        Utterance(net, 1, 60, (12, 36, 60, 75)),
        Utterance(net, 2, 25, (13, 30, 31)),
        Utterance(net, 3, 2, (1, 40, 50, 55)),
    ]
    cells = []
    for index, utterance in enumerate(utterances):
        voice, segment = utterance.voice_state(flow), None
        for earlier in range(index):  # each utterance is at another cell
            ((_, segment),) = flow.mels([utterance.cell(earlier, voice, segment)])
        cells.append(utterance.cell(index, voice, segment))
    rows: list[int] = []
    hook = ours.decoder.estimator.final_proj.register_forward_hook(
        lambda _, inputs, __: rows.append(len(inputs[0]))
    )
    together = flow.mels(cells)
    hook.remove()
    num_passes = 1 if spec.meanflow else 2
    assert rows == [3 * num_passes] * spec.euler_steps
    for cell, (mel, state) in zip(cells, together, strict=True):
        ((alone, alone_state),) = flow.mels([cell])
        assert mel.shape == (80, cell.num_new_frames)
        assert float((mel - alone).abs().max()) <= 1e-4 * float(alone.abs().max())
        for part, expected in zip(chain(*state.steps), chain(*alone_state.steps), strict=True):
            assert part.keys.shape == expected.keys.shape
            torch.testing.assert_close(part.keys, expected.keys, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(part.tails, expected.tails, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_segments_state_has_the_promised_size(net):
    flow = ChunkedFlow(net, left_tokens=10)
    utterance = Utterance(net, 1, 60, tuple(range(12, 200, 12)))
    voice, segment, sizes = utterance.voice_state(flow), None, set()
    for index in range(8):
        ((_, segment),) = flow.mels([utterance.cell(index, voice, segment)])
        sizes.add(segment.num_bytes)
    assert sizes == {flow.segment_bytes}
    assert voice.num_bytes == flow.voice_bytes(60)


@torch.inference_mode()
def test_a_voices_state_is_not_changed_by_its_segments(net):
    flow = ChunkedFlow(net, left_tokens=10)
    first, second = (Utterance(net, 1, 60, cuts) for cuts in ((12, 36), (20, 30)))
    voice = first.voice_state(flow)
    before = voice.steps[0][-1].keys.clone()
    ((alone, _),) = flow.mels([second.cell(0, voice, None)])
    ((_, segment),) = flow.mels([first.cell(0, voice, None)])
    flow.mels([first.cell(1, voice, segment), second.cell(0, voice, None)])
    assert torch.equal(voice.steps[0][-1].keys, before)
    ((again, _),) = flow.mels([second.cell(0, voice, None)])
    assert torch.equal(again, alone)


@torch.inference_mode()
def test_unknown_speech_ids_are_refused(net):
    flow = ChunkedFlow(net, 10)
    utterance = Utterance(net, 1, 60, (12,))
    cell = utterance.cell(0, utterance.voice_state(flow), None)
    with pytest.raises(ValueError, match="speech ids"):
        flow.mels([replace(cell, tokens=(6561, *cell.tokens[1:]))])
