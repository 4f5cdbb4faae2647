"""Keys and values grow with their sequence, and attention over them is plain attention."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from app.engine.t3.dense_kv_cache import PAGE, DenseKVCache, Span

NUM_LAYERS, NUM_HEADS, HEAD_DIM = 2, 2, 8
POSITION_BYTES = NUM_LAYERS * 2 * NUM_HEADS * HEAD_DIM * 4  # of one row, float32


@pytest.fixture
def memory() -> DenseKVCache:
    return DenseKVCache(NUM_LAYERS, NUM_HEADS, HEAD_DIM, torch.device("cpu"), torch.float32)


def run(memory: DenseKVCache, spans: list[Span], qkv: Tensor) -> Tensor:
    attend = memory.attention(spans)
    return torch.stack([attend(layer, qkv[layer]) for layer in range(NUM_LAYERS)])


def draw(num_tokens: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(NUM_LAYERS, num_tokens, 3, NUM_HEADS, HEAD_DIM, generator=generator)


def whole(qkv: Tensor) -> Tensor:
    """Causal attention over one row's (layers, tokens, 3, heads, head_dim), all at once."""
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return out.transpose(1, 2).flatten(2)


@pytest.mark.parametrize("chunks", [[40], [1] * 40, [17, 23], [39, 1], [15, 1, 1, 23]])
def test_any_cut_into_chunks_gives_the_same_attention(memory, chunks):
    qkv = draw(sum(chunks))
    parts = []
    start = 0
    for num_tokens in chunks:
        span = Span(0, 0, 1, start, num_tokens)
        parts.append(run(memory, [span], qkv[:, start : start + num_tokens]))
        start += num_tokens
    torch.testing.assert_close(torch.cat(parts, dim=1), whole(qkv))


def test_sequences_and_rows_of_one_call_do_not_see_each_other(memory):
    pair, single = draw(2 * 20, 1), draw(7, 2)
    spans = [Span(4, 0, 2, 0, 20), Span(1, 40, 1, 0, 7)]
    out = run(memory, spans, torch.cat((pair, single), dim=1))
    torch.testing.assert_close(out[:, :20], whole(pair[:, :20]))
    torch.testing.assert_close(out[:, 20:40], whole(pair[:, 20:]))
    torch.testing.assert_close(out[:, 40:], whole(single))


def test_a_sequence_holds_less_than_a_page_more_than_it_needs(memory):
    for position in range(100):
        memory.reserve(Span(0, 0, 2, position, 1))
        needed = 2 * (position + 1) * POSITION_BYTES
        assert needed <= memory.num_bytes < needed + 2 * PAGE * POSITION_BYTES


def test_a_released_slot_holds_nothing_and_releasing_it_again_is_nothing(memory):
    run(memory, [Span(0, 0, 1, 0, 5), Span(1, 5, 1, 0, 5)], draw(10))
    memory.release(0)
    memory.release(0)
    assert memory.num_bytes == PAGE * POSITION_BYTES
    memory.release(1)
    assert memory.num_bytes == 0
