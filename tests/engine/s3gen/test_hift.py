import pytest
import torch
from chatterbox.models.s3gen.hifigan import HiFTGenerator
from torch import Tensor

from app.core import SAMPLES_PER_FRAME
from app.engine.s3gen.hift import Hift, HiftInput
from tests.support.engine.s3gen.hift_windows import REACH, decode_windows
from tests.support.engine.s3gen.voicing import random_vocoder

NUM_FRAMES = 200
CUTS = (0, 24, 60, 61, 110, 160, NUM_FRAMES)


@pytest.fixture(scope="module")
def mel2wav() -> HiFTGenerator:
    return random_vocoder(REACH).mel2wav


@pytest.fixture(scope="module")
def mel() -> Tensor:
    return torch.randn(80, NUM_FRAMES, generator=torch.Generator().manual_seed(3))


def far(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


@torch.inference_mode()
def test_windows_equal_the_whole_decode_for_a_given_source(mel2wav: HiFTGenerator, mel):
    hift, source = Hift(mel2wav, halo=15), 0.1 * torch.randn(NUM_FRAMES * SAMPLES_PER_FRAME)
    whole = decode_windows(hift, mel, (0, NUM_FRAMES), source)
    assert whole.abs().max() > 0.05
    assert far(decode_windows(hift, mel, CUTS, source), whole) <= 1e-5


@torch.inference_mode()
def test_windows_with_their_own_source_equal_the_whole_decode(mel2wav: HiFTGenerator, mel):
    hift = Hift(mel2wav, halo=15)
    assert far(decode_windows(hift, mel, CUTS), decode_windows(hift, mel, (0, NUM_FRAMES))) <= 1e-5


@torch.inference_mode()
def test_a_halo_that_is_too_short_changes_the_sound(mel2wav: HiFTGenerator, mel):
    """The control of the two tests above."""
    hift = Hift(mel2wav, halo=4)
    assert far(decode_windows(hift, mel, CUTS), decode_windows(hift, mel, (0, NUM_FRAMES))) > 1e-3


@torch.inference_mode()
def test_a_decode_with_upstreams_source_equals_upstream(mel):
    upstream = random_vocoder(REACH).mel2wav
    expected, source = upstream.inference(mel[None])
    hift = Hift(random_vocoder(REACH).mel2wav, halo=15)
    assert far(decode_windows(hift, mel, (0, NUM_FRAMES), source[0, 0]), expected[0]) <= 1e-5
    assert far(decode_windows(hift, mel, CUTS, source[0, 0]), expected[0]) <= 1e-5


@torch.inference_mode()
def test_each_ragged_window_of_a_call_equals_the_window_alone(mel2wav: HiFTGenerator, mel):
    """First, inner and last windows of several utterances."""
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
        # Pitch is float32, and a batch rounds it differently: the sum over 50 frames of nine
        # harmonics is off by 2e-5 of a cycle on some processors. Another row's pitch would be off
        # by tenths.
        assert far(state.source, alone_state.source) <= 1e-4
        turned = state.phase - alone_state.phase
        assert float((turned - turned.round()).abs().max()) <= 1e-4
