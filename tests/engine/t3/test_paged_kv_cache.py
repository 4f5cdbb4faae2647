"""Attention over pages is plain attention over their keys and values."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from app.engine.t3.kv_budget import PAGE, Prefix, PrefixKey, pages_of
from app.engine.t3.paged_kv_cache import PagedKVCache
from app.engine.t3.span_attention import Span
from tests.support.engine.t3.attention_cases import (
    CHUNKINGS,
    HEAD_DIM,
    NUM_HEADS,
    NUM_LAYERS,
    plain_attention,
    random_qkv,
)

NUM_PAGES = 24


@pytest.fixture
def kv_cache() -> PagedKVCache:
    shape = SimpleNamespace(num_layers=NUM_LAYERS, num_heads=NUM_HEADS, head_dim=HEAD_DIM)
    return PagedKVCache(
        shape,
        rows_per_slot=2,
        num_slots=4,
        num_pages=NUM_PAGES,
        max_positions=10 * PAGE,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )


def run(kv_cache: PagedKVCache, span: Span, qkv: Tensor, num_pages: int | None = None) -> Tensor:
    """Attention of one slot's tokens. qkv: (layers, rows * tokens, 3, heads, head_dim)."""
    kv_cache.reserve([span])
    lanes = torch.tensor(kv_cache.lanes_of(span.slot, span.num_rows))
    positions = torch.arange(span.start, span.end).expand(span.num_rows, -1)
    attend = kv_cache.attention(lanes, positions, num_pages or pages_of(span.end))
    return torch.stack([attend(layer, qkv[layer]) for layer in range(NUM_LAYERS)])


@pytest.mark.parametrize("chunks", CHUNKINGS)
@pytest.mark.parametrize("num_pages", [None, 10])
def test_attention_is_the_same_for_any_cut_into_chunks(kv_cache, chunks, num_pages):
    qkv = random_qkv(sum(chunks))
    parts, start = [], 0
    for num_tokens in chunks:
        span = Span(1, 0, 1, start, num_tokens)
        parts.append(run(kv_cache, span, qkv[:, start : start + num_tokens], num_pages))
        start += num_tokens
    torch.testing.assert_close(torch.cat(parts, dim=1), plain_attention(qkv))


def test_the_rows_of_a_pair_do_not_see_each_other(kv_cache):
    qkv = random_qkv(2 * 20)
    out = run(kv_cache, Span(3, 0, 2, 0, 20), qkv)
    torch.testing.assert_close(out[:, :20], plain_attention(qkv[:, :20]))
    torch.testing.assert_close(out[:, 20:], plain_attention(qkv[:, 20:]))


def test_one_call_serves_lanes_of_any_length_and_rows_of_padding(kv_cache):
    qkv = {slot: random_qkv(length, slot) for slot, length in ((0, 33), (2, 16), (3, 5))}
    for slot, tokens in qkv.items():
        run(kv_cache, Span(slot, 0, 1, 0, tokens.shape[1] - 1), tokens[:, :-1])
    ends = {slot: tokens.shape[1] - 1 for slot, tokens in qkv.items()}
    kv_cache.reserve(Span(slot, 0, 1, end, 1) for slot, end in ends.items())
    lanes = torch.tensor([*(kv_cache.lanes_of(slot, 1)[0] for slot in qkv), kv_cache.num_lanes])
    positions = torch.tensor([*ends.values(), 0])[:, None]
    last = torch.cat([*(tokens[:, -1:] for tokens in qkv.values()), random_qkv(1, 9)], dim=1)
    attend = kv_cache.attention(lanes, positions, 8)
    for layer in range(NUM_LAYERS):
        out = attend(layer, last[layer])
        for row, tokens in enumerate(qkv.values()):
            torch.testing.assert_close(out[row], plain_attention(tokens)[layer, -1])


def test_nan_in_a_freed_page_does_not_reach_its_next_owner(kv_cache):
    run(kv_cache, Span(0, 0, 2, 0, 10 * PAGE), random_qkv(2 * 10 * PAGE) * float("nan"))
    kv_cache.release(0)
    qkv = random_qkv(20)
    torch.testing.assert_close(
        run(kv_cache, Span(1, 0, 1, 0, 20), qkv, num_pages=10), plain_attention(qkv)
    )


def test_nan_in_a_freed_slot_does_not_reach_its_next_sequence(kv_cache):
    run(kv_cache, Span(0, 0, 2, 0, 10 * PAGE), random_qkv(2 * 10 * PAGE) * float("nan"))
    kv_cache.release(0)
    qkv = random_qkv(20)
    torch.testing.assert_close(
        run(kv_cache, Span(0, 0, 1, 0, 20), qkv, num_pages=10), plain_attention(qkv)
    )


def prefix_of(num_positions: int) -> Prefix:
    return Prefix(PrefixKey(object(), 0.5), num_positions)


@pytest.mark.parametrize("num_positions", [34, 32, 5])
def test_a_kept_prefix_has_the_values_that_its_author_computed(kv_cache, num_positions):
    prefix, qkv = prefix_of(num_positions), random_qkv(50)
    run(kv_cache, Span(0, 0, 1, 0, 40), qkv[:, :40])
    kv_cache.keep(0, prefix)
    kv_cache.release(0)
    run(kv_cache, Span(2, 0, 2, 0, 30), random_qkv(60, 5))  # takes the author's pages
    kv_cache.begin(1, 2, prefix)
    rest = qkv[:, num_positions:]
    span = Span(1, 0, 2, num_positions, 50 - num_positions)
    out = run(kv_cache, span, torch.cat((rest, rest), dim=1))
    expected = plain_attention(qkv)[:, num_positions:]
    torch.testing.assert_close(out, torch.cat((expected, expected), dim=1))


def test_whole_pages_of_a_prefix_are_held_once(kv_cache):
    prefix = prefix_of(34)
    run(kv_cache, Span(0, 0, 1, 0, 34), random_qkv(34))
    kv_cache.keep(0, prefix)
    assert NUM_PAGES - kv_cache.num_free == 3 + 3
    kv_cache.begin(1, 2, prefix)
    assert kv_cache.pages_held(1) == 2  # the prefix's last, partly filled page, in each row
    kv_cache.release(0)
    kv_cache.release(1)
    assert kv_cache.num_bytes == 0
    assert NUM_PAGES - kv_cache.num_free == 3
    kv_cache.forget(prefix)
    assert (kv_cache.num_free, kv_cache.num_prefixes) == (NUM_PAGES, 0)


def test_a_lane_wastes_less_than_a_page(kv_cache):
    for end in range(1, 60):
        kv_cache.reserve([Span(0, 0, 2, end - 1, 1)])
        assert kv_cache.pages_held(0) == 2 * -(-end // PAGE)
        assert kv_cache.num_bytes == kv_cache.pages_held(0) * kv_cache.page_bytes


def test_too_many_pages_are_refused_and_taken_pages_can_be_released(kv_cache):
    kv_cache.reserve([Span(slot, 0, 2, 0, 5 * PAGE) for slot in (0, 1)])
    with pytest.raises(RuntimeError, match="no page is free"):
        kv_cache.reserve([Span(2, 0, 2, 0, 5 * PAGE)])
    for slot in (0, 1, 2, 3):
        kv_cache.release(slot)
    assert kv_cache.num_free == NUM_PAGES


def test_the_tensors_never_move(kv_cache):
    before = (kv_cache.pages.data_ptr(), kv_cache.table.data_ptr())
    for slot in (0, 1):
        run(kv_cache, Span(slot, 0, 2, 0, 50), random_qkv(100))
        kv_cache.release(slot)
    assert (kv_cache.pages.data_ptr(), kv_cache.table.data_ptr()) == before
