from itertools import pairwise

import pytest
import torch
from chatterbox.models.s3gen.hifigan import HiFTGenerator
from torch import Tensor

from app.core import SAMPLES_PER_FRAME
from app.engine.checkpoint.spec import ENGLISH
from app.engine.s3gen.hift import Hift, HiftInput, HiftState
from tests.support.engine.checkpoint.tiny import TINY_S3GEN
from tests.support.engine.s3gen.voicing import random_vocoder

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


def stream(
    hift: Hift,
    mel: Tensor,
    cuts: tuple[int, ...],
    source: Tensor | None = None,
    start: HiftState | None = None,
) -> Tensor:
    """The windows' sound; `source`, of the whole utterance, replaces the carried one."""
    state, parts = start or hift.start(1, 0), []
    own_source = hift._source.excitation
    for first, end in pairwise(cuts):
        if source is not None:
            known = state.num_source_frames * SAMPLES_PER_FRAME
            given = source[None, known : end * SAMPLES_PER_FRAME]
            hift._source.excitation = lambda *_, given=given: given
        ((state, wave),) = hift.run([HiftInput(state, mel[:, first:end], end == cuts[-1])])
        parts.append(wave)
    hift._source.excitation = own_source
    return torch.cat(parts)


def far(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


@torch.inference_mode()
def test_windows_sound_like_the_whole_for_the_same_mel_and_source(mel2wav: HiFTGenerator, mel):
    hift, source = Hift(mel2wav, halo=15), 0.1 * torch.randn(NUM_FRAMES * SAMPLES_PER_FRAME)
    whole = stream(hift, mel, (0, NUM_FRAMES), source)
    assert whole.abs().max() > 0.05
    assert far(stream(hift, mel, CUTS, source), whole) <= 1e-5


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
def test_ragged_windows_share_one_call_and_are_each_as_if_alone(mel2wav: HiFTGenerator, mel):
    """First, inner and last windows; some utterances end, some do not."""
    hift = Hift(mel2wav, halo=15)
    states = [hift.start(index, 0) for index in range(5)]
    for index, num_before in enumerate((0, 40, 30, 0, 50)):
        if num_before:
            ((states[index], _),) = hift.run(
                [HiftInput(states[index], mel[:, :num_before], is_last=False)]
            )
    inputs = [
        HiftInput(state, mel[:, 60 : 60 + count], is_last)
        for state, count, is_last in zip(
            states, (40, 50, 12, 3, 16), (True, False, True, True, False), strict=True
        )
    ]
    calls: list[int] = []
    hook = mel2wav.conv_pre.register_forward_hook(
        lambda _, inputs, __: calls.append(len(inputs[0]))
    )
    together = hift.run(inputs)
    hook.remove()
    assert calls == [5]
    for entry, (state, wave) in zip(inputs, together, strict=True):
        ((alone_state, alone),) = hift.run([entry])
        assert len(wave) == len(alone) > 0
        assert far(wave, alone) <= 1e-5
        # Pitch is float32 and a batch rounds it otherwise: what 50 frames of nine harmonics add up
        # to is off by 2e-5 of a cycle on some processors. Another's pitch is off by tenths.
        assert far(state.source, alone_state.source) <= 1e-4
        turned = state.phase - alone_state.phase
        assert float((turned - turned.round()).abs().max()) <= 1e-4
