"""The order in which sequences run, and the slots that fall free at every end. Without torch."""

import subprocess
import sys
from math import inf

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.core import FinishReason
from app.engine.checkpoint.text_origins import WordIds
from app.engine.t3 import prefill
from app.engine.t3.sequence import SequenceState
from app.engine.t3.spoken_words import SpokenWords
from app.engine.t3.step_cost import StepCost
from app.t3_settings import GuardSettings
from tests.support.engine.t3.lone_scheduler import (
    FREE_TOKENS,
    STOP_TOKEN,
    UNGUARDED,
    LoneScheduler,
    names,
    sequence,
)


def test_the_scheduler_runs_without_torch():
    program = "import app.engine.t3.scheduler, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_sequences_run_in_order_of_arrival():
    lone = LoneScheduler(num_slots=2, prefill_tokens=30)
    lone.add(sequence("a"), sequence("b"), sequence("c"))
    assert names(lone.step()) == ["a", "b"]  # the first one's prompt, half of the second's
    assert names(lone.step()) == ["a", "b"]
    assert lone.scheduler.num_waiting == 1


def test_a_waiting_sequence_takes_the_next_free_slot():
    lone = LoneScheduler(num_slots=1)
    lone.add(sequence("a", max_tokens=2), sequence("b"))
    assert [names(lone.step()) for _ in range(3)] == [["a"], ["a"], ["b"]]
    assert lone.freed.slots == [0]


def test_a_prompt_is_computed_in_chunks_beside_sequences_that_decode():
    lone = LoneScheduler(prefill_tokens=8)
    first, second = sequence("a", num_prompt=3), sequence("b", num_prompt=10)
    lone.add(first)
    lone.step()
    lone.add(second)
    chunks = []
    for _ in range(3):
        decode, chunk = lone.step()
        assert decode.sequence is first
        assert decode.num_tokens == 1
        chunks.append((chunk.start, chunk.num_tokens, chunk.samples))
    assert chunks == [(0, 4, False), (4, 4, False), (8, 2, True)]
    assert second.tokens == [1]
    decode = lone.step()[1]
    assert (decode.start, decode.num_tokens) == (10, 1)


def test_the_stop_token_ends_a_sequence_and_is_no_codec_id():
    lone = LoneScheduler()
    one = sequence("a")
    lone.add(one)
    lone.step(1)
    lone.step(STOP_TOKEN)
    assert one.finish is FinishReason.STOP
    assert one.codec_ids == [1]
    assert len(lone.freed.slots) == 1


def test_max_tokens_ends_a_sequence():
    lone = LoneScheduler()
    one = sequence("a", max_tokens=3)
    lone.add(one)
    for _ in range(3):
        assert one.finish is None
        lone.step()
    assert one.finish is FinishReason.LENGTH
    assert one.tokens == [1, 1, 1]


def test_a_stop_token_at_max_tokens_is_a_stop():
    lone = LoneScheduler()
    one = sequence("a", max_tokens=1)
    lone.add(one)
    lone.step(STOP_TOKEN)
    assert one.finish is FinishReason.STOP


def test_turbo_ignores_a_stop_in_its_first_token():
    lone = LoneScheduler(min_tokens=1)
    one = sequence("a")
    lone.add(one)
    lone.step(STOP_TOKEN)
    assert one.finish is None
    lone.step(STOP_TOKEN)
    assert one.finish is FinishReason.STOP
    assert one.codec_ids == []


def test_ignore_eos_forces_the_length():
    lone = LoneScheduler()
    one = sequence("a", max_tokens=3, ignore_eos=True)
    lone.add(one)
    for _ in range(3):
        lone.step(STOP_TOKEN)
    assert one.finish is FinishReason.LENGTH


def test_logits_that_are_not_finite_end_their_sequence_with_error():
    lone = LoneScheduler()
    good, bad = sequence("good"), sequence("bad")
    lone.add(good, bad)
    lone.step()
    lone.step(1, None)
    assert bad.finish is FinishReason.ERROR
    assert good.finish is None


@pytest.mark.parametrize("num_steps", [0, 1, 2, 4], ids=["queued", "prefill", "decode", "later"])
def test_a_cancel_frees_the_slot_in_every_phase(num_steps):
    lone = LoneScheduler(num_slots=1, prefill_tokens=12)
    one = sequence("a", num_prompt=10, max_tokens=50)
    lone.add(one)
    for _ in range(num_steps):
        lone.step()
    assert lone.scheduler.cancel(one.key, None) == [one]
    assert one.finish is FinishReason.CANCELLED
    assert one.state is SequenceState.ENDED
    assert lone.freed.slots == ([0] if num_steps else [])
    assert lone.step() == []


def test_a_second_cancel_and_a_cancel_after_the_end_do_nothing():
    lone = LoneScheduler()
    one, two = sequence("a"), sequence("b", max_tokens=1)
    lone.add(one, two)
    lone.scheduler.cancel(one.key, None)
    lone.step()
    assert two.finish is FinishReason.LENGTH
    released = list(lone.freed.slots)
    assert lone.scheduler.cancel(one.key, None) == []
    assert lone.scheduler.cancel(two.key, None) == []
    assert lone.freed.slots == released
    assert (one.finish, two.finish) == (FinishReason.CANCELLED, FinishReason.LENGTH)


def test_a_cancel_ends_one_segment_or_the_whole_session():
    lone = LoneScheduler(num_slots=3)
    segments = [sequence("a", segment=index) for index in range(3)]
    other = sequence("b")
    lone.add(*segments, other)
    lone.step()
    assert lone.scheduler.cancel(segments[0].key, 1) == [segments[1]]
    assert lone.scheduler.cancel(segments[0].key, None) == [segments[0], segments[2]]
    assert list(lone.scheduler.live()) == [other]


def test_a_failure_ends_everything_with_error():
    lone = LoneScheduler(num_slots=1)
    one, two = sequence("a"), sequence("b")
    lone.add(one, two)
    lone.step()
    assert set(lone.scheduler.fail()) == {one, two}
    assert (one.finish, two.finish) == (FinishReason.ERROR, FinishReason.ERROR)
    lone.scheduler.check_integrity()
    assert lone.scheduler.num_free == 1


@pytest.mark.parametrize("leak", ["lost", "twice"])
def test_the_integrity_check_finds_a_slot_that_is_lost_or_free_twice(leak):
    lone = LoneScheduler()
    lone.add(sequence("a"))
    lone.step()
    free = lone.scheduler._free_slots
    free.pop() if leak == "lost" else free.append(free[0])
    with pytest.raises(RuntimeError, match="slots"):
        lone.scheduler.check_integrity()


# -- prompts beside sequences that decode ----------------------------------------------------------


def cost(num_tokens: int) -> int:
    """A step's time, in the time of one token: reading the weights, and every token."""
    return FREE_TOKENS + num_tokens


@given(
    rows=st.lists(st.integers(1, 2), min_size=1, max_size=20),
    share=st.floats(0.25, 3),
    num_prompts=st.lists(st.integers(1, 500), min_size=1, max_size=5),
)
@hypothesis_settings(deadline=None)
def test_prompts_add_at_most_prefill_share_to_a_step_and_always_go_on(rows, share, num_prompts):
    lone = LoneScheduler(num_slots=30, prefill_share=share)
    for index, num_rows in enumerate(rows):
        lone.add(sequence(f"d{index}", num_prompt=1, num_rows=num_rows, max_tokens=10_000))
    for _ in range(2 * 16):  # the last begin when the first have made their first sound
        lone.step()
    lone.add(*[sequence(f"p{n}", num_prompt=n, max_tokens=10_000) for n in num_prompts])
    left, num_without = 2 * sum(num_prompts), 0
    while left:
        chunks = lone.step()
        num_decoded = sum(chunk.sequence.num_rows for chunk in chunks if chunk.is_decode)
        prompts = [chunk for chunk in chunks if not chunk.is_decode]
        num_tokens = sum(chunk.num_tokens * chunk.sequence.num_rows for chunk in prompts)
        assert cost(num_decoded + num_tokens) <= (1 + share) * cost(num_decoded)
        num_without += num_tokens == 0
        left -= num_tokens
    assert num_without <= 16 * len(num_prompts)  # while earlier ones come to their first sound


def test_more_of_a_prompt_fits_beside_a_step_where_its_tokens_are_cheaper():
    """Eight tokens of a prompt cost one decoding row."""
    lone = LoneScheduler()
    lone.scheduler.cost = StepCost(4.0, 1.0, 1 / 8)
    lone.add(sequence("decoding", num_prompt=1, max_tokens=100))
    for _ in range(20):  # past its first sound
        lone.step()
    lone.add(sequence("prompt", num_prompt=100))
    chunks = {chunk.sequence.key.session_id: chunk.num_tokens for chunk in lone.step()}
    assert chunks == {"decoding": 1, "prompt": (4 + 2) * 8 // 2}  # in each of two rows


def test_a_prompt_goes_on_where_a_token_costs_more_than_a_step_may_add():
    lone = LoneScheduler()
    lone.scheduler.cost = StepCost(1e-6, 1e-6, 1.0)
    lone.add(sequence("decoding", num_prompt=1, max_tokens=100))
    for _ in range(20):  # past its first sound
        lone.step()
    lone.add(sequence("prompt", num_prompt=3))
    assert [len(lone.step()) for _ in range(4)] == [2] * 4


@pytest.mark.parametrize("num_tokens", [1, 8, 14])
@pytest.mark.parametrize("num_prompt", [5, 100])
def test_a_prompt_takes_at_once_what_it_may_add_up_to_a_first_sound(num_tokens, num_prompt):
    lone = LoneScheduler(prefill_share=1.0)
    first = sequence("first", num_prompt=1, num_rows=1, max_tokens=100)
    lone.add(first)
    while len(first.tokens) < num_tokens:
        lone.step()
    lone.add(sequence("next", num_prompt=num_prompt, num_rows=1, max_tokens=100))
    num_steps = 16 - num_tokens  # until the first sound
    at_once = [chunk.num_tokens for chunk in lone.step() if not chunk.is_decode]
    assert at_once == [min(num_prompt, num_steps * cost(1))]


def test_prompts_have_the_whole_step_where_no_sequence_decodes():
    lone = LoneScheduler(prefill_tokens=100, prefill_share=0.25)
    lone.add(sequence("a", num_prompt=40), sequence("b", num_prompt=40))
    assert [chunk.num_tokens for chunk in lone.step()] == [40, 10]  # in each of two rows


def test_a_prompt_begins_after_its_prefix_once_the_prefix_is_computed():
    lone = LoneScheduler(num_slots=3, prefill_tokens=12)
    lone.add(*[sequence(name, num_prompt=10, num_prefix=8) for name in "abc"])
    steps = [[chunk for chunk in lone.step() if not chunk.is_decode] for _ in range(4)]
    spans = [[(chunk.start, chunk.num_tokens) for chunk in chunks] for chunks in steps]
    assert spans == [[(0, 6)], [(6, 4)], [(8, 2), (8, 2)], []]


# -- a burst -------------------------------------------------------------------------------------


def heard_after(num: int, *, free_tokens: int, first_cell: int = 0) -> list[int]:
    """When each sequence of a burst is heard, in the time of one token. A vocoder on another device
    makes their first cells, one after another."""
    lone = LoneScheduler(num_slots=num, free_tokens=free_tokens)
    burst = [sequence(f"{n}", num_prompt=20, num_rows=1, max_tokens=50) for n in range(num)]
    lone.add(*burst)
    now, voiced, heard = 0, 0, {}
    while len(heard) < num:
        now += free_tokens + sum(chunk.num_tokens for chunk in lone.step())
        for one in burst:
            if len(one.tokens) >= 16 and one not in heard:
                voiced = max(voiced, now) + first_cell
                heard[one] = voiced
    return sorted(heard.values())


@pytest.mark.parametrize(("num", "groups"), [(2, [2]), (3, [3]), (4, [2, 2]), (8, [4, 4])])
def test_the_groups_of_a_burst_follow_the_measured_cost_and_are_equal(num, groups):
    """The embedded model on an AVX-512 machine (2026-11): a step takes 3.5 ms, a row 0.48 ms, a
    token of a prompt 0.13 ms."""
    lone = LoneScheduler(num_slots=num, prefill_share=10)
    lone.scheduler.cost = StepCost(3.5, 0.48, 0.13)
    lone.add(*[sequence(f"{n}", num_prompt=35, max_tokens=100) for n in range(num)])
    begun = []
    while sum(begun) < num:
        begun.append(sum(not chunk.start for chunk in lone.step()))
    assert [count for count in begun if count] == groups


@pytest.mark.parametrize("num", [6, 8, 16])
def test_a_burst_in_groups_is_heard_sooner_and_its_last_no_later(num, monkeypatch):
    """A first cell costs as much as ten steps, as at full size on a CPU."""
    in_groups = heard_after(num, free_tokens=4, first_cell=40)
    with monkeypatch.context() as patch:
        patch.setattr(prefill, "num_together", lambda *_, **__: inf)
        together = heard_after(num, free_tokens=4, first_cell=40)
    assert sum(in_groups) < 0.9 * sum(together)
    assert in_groups[-1] < 1.1 * together[-1]


def test_a_burst_is_heard_at_once_where_a_step_costs_its_weights():
    assert len(set(heard_after(16, free_tokens=256))) == 1


def test_a_prompt_does_not_wait_for_prompts_that_are_wanted_later():
    lone = LoneScheduler(num_slots=8, free_tokens=8, prefill_share=10)
    lone.add(*[sequence(f"later {n}", num_prompt=30, max_tokens=50, lead_s=2.0) for n in range(4)])
    assert names(lone.step()) == ["later 0", "later 1"]
    lone.add(sequence("now", num_prompt=30), sequence("last", num_prompt=30, lead_s=3.0))
    begun = {name for _ in range(4) for name in names(lone.step())}
    assert begun == {"later 0", "later 1", "now"}


def test_a_sequence_that_does_not_fit_waits_and_is_not_overtaken():
    lone = LoneScheduler(num_slots=3, num_pages=6)
    lone.add(
        sequence("a", num_prompt=20, max_tokens=13),  # two pages in each of two rows
        sequence("large", num_prompt=20, max_tokens=13),
        sequence("small", num_prompt=5, max_tokens=5),
    )
    assert names(lone.step()) == ["a"]
    assert lone.scheduler.budget.num_free == 2
    while names(lone.step()) == ["a"]:
        pass
    assert names(lone.step()) == ["large", "small"]


def test_the_integrity_check_finds_pages_without_an_owner():
    lone = LoneScheduler()
    lone.add(sequence("a"))
    lone.step()
    lone.scheduler.budget.allocate("nobody", 1)
    with pytest.raises(RuntimeError, match="pages are needed"):
        lone.scheduler.check_integrity()


BABBLE_GUARDS = GuardSettings(**{**UNGUARDED.model_dump(), "tail_tokens": 10})


@pytest.mark.parametrize(
    ("sampling", "token", "finish", "num_tokens"),
    [
        ({}, 1, FinishReason.BABBLE, 13),
        ({"max_tokens": 13}, 1, FinishReason.LENGTH, 13),  # both at once
        ({"max_tokens": 12}, 1, FinishReason.LENGTH, 12),
        ({}, STOP_TOKEN, FinishReason.STOP, 1),
        ({"ignore_eos": True}, 1, FinishReason.LENGTH, 40),
    ],
)
def test_a_sequence_that_no_longer_follows_its_text_ends_with_babble(
    sampling, token, finish, num_tokens
):
    lone = LoneScheduler(guards=BABBLE_GUARDS)
    one = sequence("a", **{"max_tokens": 40, **sampling})
    one.words = SpokenWords((WordIds(0, 4),), offset_tokens=0.0)
    lone.add(one)
    for text_id in (0, 2, 4, *[5] * 40):
        if one.finish is None:
            lone.step(token, text_id=text_id)
    assert (one.finish, len(one.tokens)) == (finish, num_tokens)
    assert lone.freed.slots == [0]
