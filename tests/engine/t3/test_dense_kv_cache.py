"""The dense cache grows with its sequences, and attention over it is plain attention."""

import pytest
import torch
from torch import Tensor

from app.engine.t3.dense_kv_cache import PAGE, DenseKVCache, Span
from tests.support.engine.t3.attention_cases import (
    CHUNKINGS,
    HEAD_DIM,
    NUM_HEADS,
    NUM_LAYERS,
    plain_attention,
    random_qkv,
)

POSITION_BYTES = NUM_LAYERS * 2 * NUM_HEADS * HEAD_DIM * 4  # of one row, float32


@pytest.fixture
def kv_cache() -> DenseKVCache:
    return DenseKVCache(NUM_LAYERS, NUM_HEADS, HEAD_DIM, torch.device("cpu"), torch.float32)


def run(kv_cache: DenseKVCache, spans: list[Span], qkv: Tensor) -> Tensor:
    attend = kv_cache.attention(spans)
    return torch.stack([attend(layer, qkv[layer]) for layer in range(NUM_LAYERS)])


@pytest.mark.parametrize("chunks", CHUNKINGS)
def test_attention_is_the_same_for_any_cut_into_chunks(kv_cache, chunks):
    qkv = random_qkv(sum(chunks))
    parts = []
    start = 0
    for num_tokens in chunks:
        span = Span(0, 0, 1, start, num_tokens)
        parts.append(run(kv_cache, [span], qkv[:, start : start + num_tokens]))
        start += num_tokens
    torch.testing.assert_close(torch.cat(parts, dim=1), plain_attention(qkv))


def test_sequences_and_rows_of_one_call_do_not_see_each_other(kv_cache):
    pair, single = random_qkv(2 * 20, 1), random_qkv(7, 2)
    spans = [Span(4, 0, 2, 0, 20), Span(1, 40, 1, 0, 7)]
    out = run(kv_cache, spans, torch.cat((pair, single), dim=1))
    torch.testing.assert_close(out[:, :20], plain_attention(pair[:, :20]))
    torch.testing.assert_close(out[:, 20:40], plain_attention(pair[:, 20:]))
    torch.testing.assert_close(out[:, 40:], plain_attention(single))


def test_a_row_holds_less_than_a_page_more_than_it_needs(kv_cache):
    for position in range(100):
        kv_cache.reserve(Span(0, 0, 2, position, 1))
        num_needed = 2 * (position + 1) * POSITION_BYTES
        assert num_needed <= kv_cache.num_bytes < num_needed + 2 * PAGE * POSITION_BYTES


def test_a_released_slot_holds_nothing_and_may_be_released_again(kv_cache):
    run(kv_cache, [Span(0, 0, 1, 0, 5), Span(1, 5, 1, 0, 5)], random_qkv(10))
    kv_cache.release(0)
    kv_cache.release(0)
    assert kv_cache.num_bytes == PAGE * POSITION_BYTES
    kv_cache.release(1)
    assert kv_cache.num_bytes == 0
