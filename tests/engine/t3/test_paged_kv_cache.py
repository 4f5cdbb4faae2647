"""Attention over pages that are named by a table is plain attention over what they hold."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from app.engine.t3.dense_kv_cache import Span
from app.engine.t3.kv_budget import PAGE, Prefix, PrefixKey, pages_of
from app.engine.t3.paged_kv_cache import PagedKVCache
from tests.engine.t3.test_dense_kv_cache import HEAD_DIM, NUM_HEADS, NUM_LAYERS, draw, whole

NUM_PAGES = 24


@pytest.fixture
def slab() -> PagedKVCache:
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


def run(slab: PagedKVCache, span: Span, qkv: Tensor, num_pages: int | None = None) -> Tensor:
    """One slot's tokens, whose (layers, rows * tokens, 3, heads, head_dim) these are."""
    slab.reserve([span])
    lanes = torch.tensor(slab.lanes_of(span.slot, span.num_rows))
    positions = torch.arange(span.start, span.end).expand(span.num_rows, -1)
    attend = slab.attention(lanes, positions, num_pages or pages_of(span.end))
    return torch.stack([attend(layer, qkv[layer]) for layer in range(NUM_LAYERS)])


@pytest.mark.parametrize("chunks", [[40], [1] * 40, [17, 23], [39, 1], [15, 1, 1, 23]])
@pytest.mark.parametrize("num_pages", [None, 10])
def test_any_cut_into_chunks_gives_the_same_attention(slab, chunks, num_pages):
    qkv = draw(sum(chunks))
    parts, start = [], 0
    for num_tokens in chunks:
        span = Span(1, 0, 1, start, num_tokens)
        parts.append(run(slab, span, qkv[:, start : start + num_tokens], num_pages))
        start += num_tokens
    torch.testing.assert_close(torch.cat(parts, dim=1), whole(qkv))


def test_the_rows_of_a_pair_do_not_see_each_other(slab):
    qkv = draw(2 * 20)
    out = run(slab, Span(3, 0, 2, 0, 20), qkv)
    torch.testing.assert_close(out[:, :20], whole(qkv[:, :20]))
    torch.testing.assert_close(out[:, 20:], whole(qkv[:, 20:]))


def test_one_call_serves_lanes_of_any_length_and_padding(slab):
    qkv = {slot: draw(length, slot) for slot, length in ((0, 33), (2, 16), (3, 5))}
    for slot, tokens in qkv.items():
        run(slab, Span(slot, 0, 1, 0, tokens.shape[1] - 1), tokens[:, :-1])
    ends = {slot: tokens.shape[1] - 1 for slot, tokens in qkv.items()}
    slab.reserve(Span(slot, 0, 1, end, 1) for slot, end in ends.items())
    lanes = torch.tensor([*(slab.lanes_of(slot, 1)[0] for slot in qkv), slab.num_lanes])
    positions = torch.tensor([*ends.values(), 0])[:, None]
    last = torch.cat([*(tokens[:, -1:] for tokens in qkv.values()), draw(1, 9)], dim=1)
    attend = slab.attention(lanes, positions, 8)
    for layer in range(NUM_LAYERS):
        out = attend(layer, last[layer])
        for row, tokens in enumerate(qkv.values()):
            torch.testing.assert_close(out[row], whole(tokens)[layer, -1])


def test_what_a_failed_sequence_left_in_a_page_harms_nobody(slab):
    run(slab, Span(0, 0, 2, 0, 10 * PAGE), draw(2 * 10 * PAGE) * float("nan"))
    slab.release(0)
    qkv = draw(20)
    torch.testing.assert_close(run(slab, Span(1, 0, 1, 0, 20), qkv, num_pages=10), whole(qkv))


def test_who_comes_after_a_failed_sequence_in_its_slot_is_not_harmed(slab):
    run(slab, Span(0, 0, 2, 0, 10 * PAGE), draw(2 * 10 * PAGE) * float("nan"))
    slab.release(0)
    qkv = draw(20)
    torch.testing.assert_close(run(slab, Span(0, 0, 1, 0, 20), qkv, num_pages=10), whole(qkv))


def prefix_of(num_positions: int) -> Prefix:
    return Prefix(PrefixKey("ann", 0.5, 1), None, num_positions)


@pytest.mark.parametrize("num_positions", [34, 32, 5])
def test_a_kept_prefix_is_what_its_author_computed(slab, num_positions):
    prefix, qkv = prefix_of(num_positions), draw(50)
    run(slab, Span(0, 0, 1, 0, 40), qkv[:, :40])
    slab.keep(0, prefix)
    slab.release(0)
    run(slab, Span(2, 0, 2, 0, 30), draw(60, 5))  # somebody takes the author's pages
    slab.begin(1, 2, prefix)
    rest = qkv[:, num_positions:]
    span = Span(1, 0, 2, num_positions, 50 - num_positions)
    out = run(slab, span, torch.cat((rest, rest), dim=1))
    expected = whole(qkv)[:, num_positions:]
    torch.testing.assert_close(out, torch.cat((expected, expected), dim=1))


def test_whole_pages_of_a_prefix_are_held_once(slab):
    prefix = prefix_of(34)
    run(slab, Span(0, 0, 1, 0, 34), draw(34))
    slab.keep(0, prefix)
    assert NUM_PAGES - slab.num_free == 3 + 3
    slab.begin(1, 2, prefix)
    assert slab.pages_held(1) == 2  # of each row, the page that the prefix does not fill
    slab.release(0)
    slab.release(1)
    assert slab.num_bytes == 0
    assert NUM_PAGES - slab.num_free == 3
    slab.forget(prefix)
    assert (slab.num_free, slab.num_prefixes) == (NUM_PAGES, 0)


def test_a_lane_wastes_less_than_a_page(slab):
    for end in range(1, 60):
        slab.reserve([Span(0, 0, 2, end - 1, 1)])
        assert slab.pages_held(0) == 2 * -(-end // PAGE)
        assert slab.num_bytes == slab.pages_held(0) * slab.page_bytes


def test_more_than_there_is_is_refused_and_what_was_taken_can_be_given_back(slab):
    slab.reserve([Span(slot, 0, 2, 0, 5 * PAGE) for slot in (0, 1)])
    with pytest.raises(RuntimeError, match="no page is free"):
        slab.reserve([Span(2, 0, 2, 0, 5 * PAGE)])
    for slot in (0, 1, 2, 3):
        slab.release(slot)
    assert slab.num_free == NUM_PAGES


def test_the_tensors_never_move(slab):
    before = (slab.pages.data_ptr(), slab.table.data_ptr())
    for slot in (0, 1):
        run(slab, Span(slot, 0, 2, 0, 50), draw(100))
        slab.release(slot)
    assert (slab.pages.data_ptr(), slab.table.data_ptr()) == before
