"""Noise is exponential, and a function of seed, segment, step and id."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from app.engine.t3.noise import exponential, stream_start

VOCAB = 6563
MASK = (1 << 64) - 1


def draw(seed: int, segment: int, step: int, vocab: int = VOCAB) -> Tensor:
    start = torch.tensor([stream_start(seed, segment)])
    return exponential(start, torch.tensor([step]), vocab)[0]


def splitmix64(state: int) -> int:
    """The published generator, in Python's unbounded integers."""
    z = state & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def test_splitmix64_gives_the_published_first_numbers():
    state = 1234567
    numbers = [splitmix64(state + (i + 1) * 0x9E3779B97F4A7C15) for i in range(3)]
    assert numbers == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize(("seed", "segment", "step"), [(0, 0, 0), (7, 3, 999), (2**63 - 1, 0, 5)])
def test_a_draw_is_splitmix64_at_its_counter(seed, segment, step):
    ours = draw(seed, segment, step, 50).tolist()
    for codec_id, value in enumerate(ours):
        counter = step * 50 + codec_id + 1
        bits = splitmix64(stream_start(seed, segment) + counter * 0x9E3779B97F4A7C15) >> 12
        uniform = (bits + 0.5) / 2**52
        assert value == pytest.approx(-math.log(uniform), rel=1e-6)


def test_a_row_does_not_depend_on_its_batch():
    starts = [stream_start(seed, segment) for seed in range(4) for segment in range(3)]
    steps = list(range(12))
    batch = exponential(torch.tensor(starts), torch.tensor(steps), VOCAB)
    for start, step, row in zip(starts, steps, batch, strict=True):
        alone = exponential(torch.tensor([start]), torch.tensor([step]), VOCAB)[0]
        assert torch.equal(alone, row)


def test_seed_segment_and_step_each_change_every_draw():
    kinds = itertools.combinations([draw(1, 0, 0), draw(2, 0, 0), draw(1, 1, 0), draw(1, 0, 1)], 2)
    assert all((a == b).sum() < 3 for a, b in kinds)
    assert torch.equal(draw(1, 0, 0), draw(1, 0, 0))


def test_draws_are_exponential_and_uncorrelated():
    draws = torch.stack([draw(5, 0, step) for step in range(150)]).double()
    assert draws.min() > 0
    assert draws.max() < 37
    # Kolmogorov-Smirnov over a million draws: 99 % of exponential samples stay below 1.63 / sqrt(n)
    ordered = draws.flatten().sort().values
    empirical = torch.arange(1, len(ordered) + 1).double() / len(ordered)
    distance = (empirical - (1 - torch.exp(-ordered))).abs().max()
    assert distance < 1.63 / math.sqrt(len(ordered))
    for one, next_one in ((draws[:-1], draws[1:]), (draws[:, :-1], draws[:, 1:])):
        pair = torch.stack((one.flatten(), next_one.flatten()))
        assert abs(torch.corrcoef(pair)[0, 1]) < 0.005
