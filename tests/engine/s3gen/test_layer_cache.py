"""What calls remember of earlier frames: for all attentions at once, or for one after the other."""

from functools import partial

import pytest
import torch
from torch import Tensor

from app.engine.s3gen.layer_cache import CachedRow, FilledCache

NUM_ATTENTIONS, NUM_HEADS, HEAD_DIM, NUM_CHANNELS = 3, 2, 4, 5
MOST = 6

random = partial(torch.randn, generator=torch.Generator().manual_seed(1))


def remembered(num_positions: int) -> CachedRow:
    keys = random(NUM_ATTENTIONS, 2, NUM_HEADS, num_positions, HEAD_DIM)
    return CachedRow(keys, random(NUM_CHANNELS * 2))


def heard(past: FilledCache, num_new: int, inputs: list[Tensor]) -> list[Tensor]:
    """A pass through a network of nothing but attentions and one convolution."""
    queries = [past.attend(*given[:, :3].unbind(1), None) for given in inputs]
    past.before(inputs[0][:, 0, 0, :, :1].mT.expand(-1, NUM_CHANNELS, num_new), 2)
    return queries


@pytest.mark.parametrize(
    ("positions", "num_new"),
    [
        ([(7, 5)], [4]),
        ([(7, 0)], [9]),
        ([(0, 0)], [3]),
        ([(7, 5), (2, 1), (4, 6)], [4, 4, 4]),
        ([(7, 5), (7, 5)], [2, 8]),
        ([(0, 0), (3, 6)], [8, 1]),
    ],
)
def test_all_attentions_at_once_and_one_after_the_other_hear_and_leave_the_same(positions, num_new):
    pasts = [[remembered(voice), remembered(segment)] for voice, segment in positions]
    longest = max(num_new)
    shape = (len(pasts), 3, NUM_HEADS, longest, HEAD_DIM)
    inputs = [random(*shape) for _ in range(NUM_ATTENTIONS)]
    at_once, in_turn = (FilledCache(pasts, num_new, MOST, way) for way in (True, False))
    for one, other in zip(
        heard(at_once, longest, inputs), heard(in_turn, longest, inputs), strict=True
    ):
        for row, count in enumerate(num_new):
            assert torch.equal(one[row, :, :count], other[row, :, :count])
    for one, other in zip(at_once.left(), in_turn.left(), strict=True):
        assert torch.equal(one.keys, other.keys)
        assert torch.equal(one.tails, other.tails)


def test_what_is_left_is_the_end_of_the_segment_without_the_voice():
    voice, segment = remembered(4), remembered(5)
    given = random(1, 3, NUM_HEADS, 3, HEAD_DIM)
    past = FilledCache([[voice, segment]], [3], MOST)
    heard(past, 3, [given] * NUM_ATTENTIONS)
    (left,) = past.left()
    new = given[0, 1:].expand(NUM_ATTENTIONS, -1, -1, -1, -1)
    assert torch.equal(left.keys, torch.cat([segment.keys[..., -3:, :], new], 3))


def test_a_bound_that_is_not_reached_leaves_the_whole_segment_and_nothing_of_the_voice():
    voice, segment = remembered(4), remembered(1)
    given = random(1, 3, NUM_HEADS, 2, HEAD_DIM)
    past = FilledCache([[voice, segment]], [2], MOST)
    heard(past, 2, [given] * NUM_ATTENTIONS)
    (left,) = past.left()
    assert left.keys.shape[3] == 3
    assert torch.equal(left.keys[..., :1, :], segment.keys)
