"""The dense cache grows with its sequences, and attention over it is plain attention."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from app.engine.t3 import dense_kv_cache as module
from app.engine.t3.dense_kv_cache import DenseKVCache
from app.engine.t3.kv_budget import PAGE, Prefix, PrefixKey
from app.engine.t3.span_attention import Span
from tests.support.engine.t3.attention_cases import (
    CHUNKINGS,
    HEAD_DIM,
    NUM_HEADS,
    NUM_LAYERS,
    plain_attention,
    random_qkv,
)
from tests.support.engine.t3.models import conditionals

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


PREFIX = Prefix(PrefixKey(conditionals(1), 0.5), 20)


def speak(kv_cache: DenseKVCache, lengths: list[int], qkv: list[Tensor]) -> Tensor:
    """The next token of each sequence, in one call."""
    spans = [Span(n, n, 1, length - 1, 1) for n, length in enumerate(lengths)]
    last = [own[:, length - 1 : length] for own, length in zip(qkv, lengths, strict=True)]
    return run(kv_cache, spans, torch.cat(last, dim=1))


@pytest.fixture
def sharers(kv_cache, monkeypatch):
    """Three sequences with the same first 20 positions. The first of them has computed these."""
    monkeypatch.setattr(module, "SHARED_FROM", 20)
    common = random_qkv(20, 9)
    qkv = [torch.cat((common, random_qkv(30, seed)), dim=1) for seed in range(3)]
    run(kv_cache, [Span(0, 0, 1, 0, 23)], qkv[0][:, :23])
    kv_cache.keep(0, PREFIX)
    for slot, length in ((1, 21), (2, 40)):
        kv_cache.begin(slot, 1, PREFIX)
        own = run(kv_cache, [Span(slot, 0, 1, 20, length - 20)], qkv[slot][:, 20:length])
        torch.testing.assert_close(own, plain_attention(qkv[slot][:, :length])[:, 20:])
    return qkv


def test_sequences_that_share_a_prefix_attend_as_each_alone(kv_cache, sharers):
    for ahead in range(1, 8):
        lengths = [23 + ahead, 21 + ahead, 40 + ahead]
        out = speak(kv_cache, lengths, sharers)
        for row, (own, length) in enumerate(zip(sharers, lengths, strict=True)):
            exact = plain_attention(own[:, :length])[:, -1]
            torch.testing.assert_close(out[:, row], exact)


@pytest.mark.parametrize("num_others", [1, 2, 3, 4, 7])
def test_the_others_change_no_bit_of_a_sequence_s_attention(num_others):
    """With the sizes of full-size turbo: another product takes another way through MKL."""
    num_heads, head_dim, num_prefix = 16, 64, 376
    kv_cache = DenseKVCache(1, num_heads, head_dim, torch.device("cpu"), torch.float32)
    prefix = Prefix(PrefixKey(conditionals(1), 0.5), num_prefix)
    shape = 1, num_prefix + 80, 3, num_heads, head_dim
    qkv = torch.randn(*shape, generator=torch.Generator().manual_seed(1))[0]
    kv_cache.attention([Span(0, 0, 1, 0, num_prefix)])(0, qkv[:num_prefix])
    kv_cache.keep(0, prefix)
    spans = []
    for slot in range(1, num_others + 2):
        kv_cache.begin(slot, 1, prefix)
        length = 5 * slot
        start = Span(slot, 0, 1, num_prefix, length)
        kv_cache.attention([start])(0, qkv[num_prefix : num_prefix + length])
        spans.append(Span(slot, slot - 1, 1, num_prefix + length, 1))
    next_ones = qkv[-len(spans) :]
    together = kv_cache.attention(spans)(0, next_ones)
    for row, span in enumerate(spans):
        alone = replace(span, first=0)
        assert torch.equal(
            kv_cache.attention([alone])(0, next_ones[row : row + 1])[0], together[row]
        )


def test_a_shared_prefix_is_in_memory_once(kv_cache, sharers):
    speak(kv_cache, [24, 22, 41], sharers)
    assert [kv_cache.pages_held(slot) for slot in range(3)] == [1, 1, 2]
    kept = next(iter(kv_cache._prefixes.values()))
    assert all(slot.prefix is kept for slot in kv_cache._slots.values())


def test_a_forgotten_prefix_stays_with_its_sequences(kv_cache, sharers):
    kv_cache.forget(PREFIX)
    assert kv_cache.num_prefixes == 0
    out = speak(kv_cache, [24, 22, 41], sharers)
    torch.testing.assert_close(out[:, 2], plain_attention(sharers[2][:, :41])[:, -1])


def test_the_step_that_completes_a_shared_prefix_may_run_again(kv_cache, sharers):
    """As after a lack of memory: the prefix is forgotten, and the chunk is computed anew."""
    own = sharers[0]
    kv_cache.forget(PREFIX)
    again = run(kv_cache, [Span(0, 0, 1, 10, 13)], own[:, 10:23])
    torch.testing.assert_close(again, plain_attention(own[:, :23])[:, 10:])


def test_pairs_of_rows_copy_a_prefix(kv_cache, monkeypatch):
    monkeypatch.setattr(module, "SHARED_FROM", 20)
    run(kv_cache, [Span(0, 0, 2, 0, 20)], random_qkv(2 * 20, 1))
    kv_cache.keep(0, PREFIX)
    kv_cache.begin(1, 2, PREFIX)
    assert not kv_cache._slots[1].prefix
    assert kv_cache.pages_held(1) == 2 * 2


def test_a_growing_slot_is_rarely_moved(kv_cache):
    moved = set()
    for position in range(400):
        kv_cache.reserve(Span(0, 0, 1, position, 1))
        moved.add(kv_cache._slots[0].layers[0].data_ptr())
    assert len(moved) < 20


def test_a_released_slot_holds_nothing_and_may_be_released_again(kv_cache):
    run(kv_cache, [Span(0, 0, 1, 0, 5), Span(1, 5, 1, 0, 5)], random_qkv(10))
    kv_cache.release(0)
    kv_cache.release(0)
    assert kv_cache.num_bytes == PAGE * POSITION_BYTES
    kv_cache.release(1)
    assert kv_cache.num_bytes == 0
