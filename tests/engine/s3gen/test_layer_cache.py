"""The cache of earlier frames, laid out for all attentions at once or for one after the other."""

from functools import partial

import pytest
import torch
from torch import Tensor

from app.engine.s3gen.layer_cache import CachedRow, FilledCache

NUM_ATTENTIONS, NUM_HEADS, HEAD_DIM, NUM_CHANNELS = 3, 2, 4, 5
MAX_KEPT = 6

random = partial(torch.randn, generator=torch.Generator().manual_seed(1))


def cached_row(num_positions: int) -> CachedRow:
    keys = random(NUM_ATTENTIONS, 2, NUM_HEADS, num_positions, HEAD_DIM)
    return CachedRow(keys, random(NUM_CHANNELS * 2))


def run_pass(cache: FilledCache, num_new: int, inputs: list[Tensor]) -> list[Tensor]:
    """A pass through a network of attentions and one convolution."""
    outputs = [cache.attend(*given[:, :3].unbind(1), None) for given in inputs]
    cache.before(inputs[0][:, 0, 0, :, :1].mT.expand(-1, NUM_CHANNELS, num_new), 2)
    return outputs


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
def test_both_layouts_give_the_same_outputs_and_rows(positions, num_new):
    rows = [[cached_row(voice), cached_row(segment)] for voice, segment in positions]
    longest = max(num_new)
    shape = (len(rows), 3, NUM_HEADS, longest, HEAD_DIM)
    inputs = [random(*shape) for _ in range(NUM_ATTENTIONS)]
    at_once, in_turn = (FilledCache(rows, num_new, MAX_KEPT, way) for way in (True, False))
    for one, other in zip(
        run_pass(at_once, longest, inputs), run_pass(in_turn, longest, inputs), strict=True
    ):
        for row, count in enumerate(num_new):
            assert torch.equal(one[row, :, :count], other[row, :, :count])
    for one, other in zip(at_once.new_rows(), in_turn.new_rows(), strict=True):
        assert torch.equal(one.keys, other.keys)
        assert torch.equal(one.tails, other.tails)


def test_new_rows_are_the_end_of_the_segment_without_the_voice():
    voice, segment = cached_row(4), cached_row(5)
    given = random(1, 3, NUM_HEADS, 3, HEAD_DIM)
    cache = FilledCache([[voice, segment]], [3], MAX_KEPT)
    run_pass(cache, 3, [given] * NUM_ATTENTIONS)
    (row,) = cache.new_rows()
    new = given[0, 1:].expand(NUM_ATTENTIONS, -1, -1, -1, -1)
    assert torch.equal(row.keys, torch.cat([segment.keys[..., -3:, :], new], 3))


def test_new_rows_are_the_whole_segment_below_the_bound():
    voice, segment = cached_row(4), cached_row(1)
    given = random(1, 3, NUM_HEADS, 2, HEAD_DIM)
    cache = FilledCache([[voice, segment]], [2], MAX_KEPT)
    run_pass(cache, 2, [given] * NUM_ATTENTIONS)
    (row,) = cache.new_rows()
    assert row.keys.shape[3] == 3
    assert torch.equal(row.keys[..., :1, :], segment.keys)
