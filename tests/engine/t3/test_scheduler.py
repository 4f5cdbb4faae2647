"""Who runs when, and what every end frees. Without torch."""

import subprocess
import sys
from math import inf

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.core import FinishReason, SamplingParams
from app.engine.t3.scheduler import Scheduler
from app.engine.t3.sequence import AddSequence, SequenceState
from tests.support.engine.t3.desk import (
    CONDITIONALS,
    FREE_TOKENS,
    STOP_TOKEN,
    Desk,
    names,
    sequence,
)


def test_the_scheduler_runs_without_torch():
    program = "import app.engine.t3.scheduler, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_first_that_came_runs_first():
    desk = Desk(num_slots=2, prefill_tokens=30)
    desk.add(sequence("a"), sequence("b"), sequence("c"))
    assert names(desk.step()) == ["a", "b"]  # the first one's prompt, half of the second's
    assert names(desk.step()) == ["a", "b"]
    assert desk.scheduler.num_waiting == 1


def test_a_waiting_sequence_takes_the_slot_that_falls_free():
    desk = Desk(num_slots=1)
    desk.add(sequence("a", max_tokens=2), sequence("b"))
    assert [names(desk.step()) for _ in range(3)] == [["a"], ["a"], ["b"]]
    assert desk.released == [0]


def test_a_prompt_is_computed_in_chunks_beside_those_that_decode():
    desk = Desk(prefill_tokens=8)
    first, second = sequence("a", num_prompt=3), sequence("b", num_prompt=10)
    desk.add(first)
    desk.step()
    desk.add(second)
    chunks = []
    for _ in range(3):
        decode, chunk = desk.step()
        assert decode.sequence is first
        assert decode.num_tokens == 1
        chunks.append((chunk.start, chunk.num_tokens, chunk.samples))
    assert chunks == [(0, 4, False), (4, 4, False), (8, 2, True)]
    assert second.tokens == [1]
    decode = desk.step()[1]
    assert (decode.start, decode.num_tokens) == (10, 1)


def test_the_stop_token_ends_a_sequence_and_is_no_codec_id():
    desk = Desk()
    one = sequence("a")
    desk.add(one)
    desk.step(1)
    desk.step(STOP_TOKEN)
    assert one.finish is FinishReason.STOP
    assert one.codec_ids == [1]
    assert len(desk.released) == 1


def test_the_token_limit_ends_a_sequence():
    desk = Desk()
    one = sequence("a", max_tokens=3)
    desk.add(one)
    for _ in range(3):
        assert one.finish is None
        desk.step()
    assert one.finish is FinishReason.LENGTH
    assert one.tokens == [1, 1, 1]


def test_a_stop_token_at_the_limit_is_a_stop():
    desk = Desk()
    one = sequence("a", max_tokens=1)
    desk.add(one)
    desk.step(STOP_TOKEN)
    assert one.finish is FinishReason.STOP


def test_turbo_does_not_look_at_its_first_token():
    desk = Desk(min_tokens=1)
    one = sequence("a")
    desk.add(one)
    desk.step(STOP_TOKEN)
    assert one.finish is None
    desk.step(STOP_TOKEN)
    assert one.finish is FinishReason.STOP
    assert one.codec_ids == []


def test_ignore_eos_forces_the_length():
    desk = Desk()
    one = sequence("a", max_tokens=3, ignore_eos=True)
    desk.add(one)
    for _ in range(3):
        desk.step(STOP_TOKEN)
    assert one.finish is FinishReason.LENGTH


def test_logits_that_are_no_distribution_end_their_sequence_with_error():
    desk = Desk()
    good, bad = sequence("good"), sequence("bad")
    desk.add(good, bad)
    desk.step()
    work = desk.scheduler.schedule()
    ended = desk.scheduler.postprocess(work, [1, None])
    assert ended == [bad]
    assert bad.finish is FinishReason.ERROR
    assert good.finish is None


@pytest.mark.parametrize("num_steps", [0, 1, 2, 4], ids=["queued", "prefill", "decode", "later"])
def test_a_cancel_frees_whatever_phase_it_finds(num_steps):
    desk = Desk(num_slots=1, prefill_tokens=12)
    one = sequence("a", num_prompt=10, max_tokens=50)
    desk.add(one)
    for _ in range(num_steps):
        desk.step()
    assert desk.scheduler.cancel(one.key, None) == [one]
    assert one.finish is FinishReason.CANCELLED
    assert one.state is SequenceState.ENDED
    assert desk.released == ([0] if num_steps else [])
    assert desk.step() == []


def test_a_second_cancel_and_a_cancel_after_the_end_do_nothing():
    desk = Desk()
    one, two = sequence("a"), sequence("b", max_tokens=1)
    desk.add(one, two)
    desk.scheduler.cancel(one.key, None)
    desk.step()
    assert two.finish is FinishReason.LENGTH
    released = list(desk.released)
    assert desk.scheduler.cancel(one.key, None) == []
    assert desk.scheduler.cancel(two.key, None) == []
    assert desk.released == released
    assert (one.finish, two.finish) == (FinishReason.CANCELLED, FinishReason.LENGTH)


def test_a_cancel_ends_one_segment_or_the_whole_session():
    desk = Desk(num_slots=3)
    segments = [sequence("a") for _ in range(3)]
    for index, one in enumerate(segments):
        one.request = AddSequence(one.key, index, (1,), CONDITIONALS, "voice", SamplingParams())
    other = sequence("b")
    desk.add(*segments, other)
    desk.step()
    assert desk.scheduler.cancel(segments[0].key, 1) == [segments[1]]
    assert desk.scheduler.cancel(segments[0].key, None) == [segments[0], segments[2]]
    assert list(desk.scheduler.live()) == [other]


def test_a_failure_ends_everything_with_error():
    desk = Desk(num_slots=1)
    one, two = sequence("a"), sequence("b")
    desk.add(one, two)
    desk.step()
    assert set(desk.scheduler.fail()) == {one, two}
    assert (one.finish, two.finish) == (FinishReason.ERROR, FinishReason.ERROR)
    desk.scheduler.check_integrity()
    assert desk.scheduler.num_free == 1


@pytest.mark.parametrize("leak", ["lost", "twice"])
def test_the_integrity_check_sees_a_leak(leak):
    desk = Desk()
    desk.add(sequence("a"))
    desk.step()
    free = desk.scheduler._free_slots
    free.pop() if leak == "lost" else free.append(free[0])
    with pytest.raises(RuntimeError, match="slots"):
        desk.scheduler.check_integrity()


# -- prompts beside those that decode --------------------------------------------------------------


def cost(num_tokens: int) -> int:
    """A step's time, in tokens' worth: reading the weights, and every token."""
    return FREE_TOKENS + num_tokens


@given(
    rows=st.lists(st.integers(1, 2), min_size=1, max_size=20),
    share=st.floats(0.25, 3),
    num_prompts=st.lists(st.integers(1, 500), min_size=1, max_size=5),
)
@hypothesis_settings(deadline=None)
def test_prompts_make_no_step_longer_than_their_share_and_always_go_on(rows, share, num_prompts):
    desk = Desk(num_slots=30, prefill_share=share)
    for index, num_rows in enumerate(rows):
        desk.add(sequence(f"d{index}", num_prompt=1, num_rows=num_rows, max_tokens=10_000))
    for _ in range(2 * 16):  # the last of them begin when the first are heard
        desk.step()
    desk.add(*[sequence(f"p{n}", num_prompt=n, max_tokens=10_000) for n in num_prompts])
    left, num_without = 2 * sum(num_prompts), 0
    while left:
        work = desk.step()
        prompts = [item for item in work if item.start < item.sequence.num_prompt]
        beside = sum(item.sequence.num_rows for item in work if item not in prompts)
        num_tokens = sum(item.num_tokens * item.sequence.num_rows for item in prompts)
        assert cost(beside + num_tokens) <= (1 + share) * cost(beside)
        num_without += num_tokens == 0
        left -= num_tokens
    assert num_without <= 16 * len(num_prompts)  # while those before come to their first sound


def test_where_nobody_decodes_prompts_have_the_whole_step():
    desk = Desk(prefill_tokens=100, prefill_share=0.25)
    desk.add(sequence("a", num_prompt=40), sequence("b", num_prompt=40))
    assert [item.num_tokens for item in desk.step()] == [40, 10]  # of two rows each


def test_a_prompt_begins_where_its_prefix_ends_once_that_is_computed():
    desk = Desk(num_slots=3, prefill_tokens=12)
    desk.add(*[sequence(name, num_prompt=10, num_prefix=8) for name in "abc"])
    chunks = [[(i.start, i.num_tokens) for i in desk.step() if i.start < 10] for _ in range(4)]
    assert chunks == [[(0, 6)], [(6, 4)], [(8, 2), (8, 2)], []]


# -- a burst -------------------------------------------------------------------------------------


def heard_after(num: int, *, free_tokens: int, first_cell: int = 0) -> list[int]:
    """When each of a burst is heard, in tokens' worth of time: a vocoder of its own makes one first
    cell after another, beside this."""
    desk = Desk(num_slots=num, free_tokens=free_tokens)
    burst = [sequence(f"{n}", num_prompt=20, num_rows=1, max_tokens=50) for n in range(num)]
    desk.add(*burst)
    now, voiced, heard = 0, 0, {}
    while len(heard) < num:
        now += free_tokens + sum(item.num_tokens for item in desk.step())
        for one in burst:
            if len(one.tokens) >= 16 and one not in heard:
                voiced = max(voiced, now) + first_cell
                heard[one] = voiced
    return sorted(heard.values())


def all_at_once(scheduler, prompts, starting, others) -> float:
    return inf


@pytest.mark.parametrize("num", [6, 8, 16])
def test_a_burst_is_heard_in_groups_sooner_and_the_last_no_later(num, monkeypatch):
    """A first cell that costs what ten steps do, as at full size on a CPU."""
    in_groups = heard_after(num, free_tokens=4, first_cell=40)
    with monkeypatch.context() as patch:
        patch.setattr(Scheduler, "_together", all_at_once)
        together = heard_after(num, free_tokens=4, first_cell=40)
    assert sum(in_groups) < 0.9 * sum(together)
    assert in_groups[-1] < 1.1 * together[-1]


def test_where_a_step_costs_its_weights_a_burst_is_heard_all_at_once():
    assert len(set(heard_after(16, free_tokens=256))) == 1


def test_nobody_waits_for_those_whose_sound_is_wanted_later():
    desk = Desk(num_slots=8, free_tokens=8, prefill_share=10)
    desk.add(*[sequence(f"later {n}", num_prompt=30, max_tokens=50, lead_s=2.0) for n in range(4)])
    assert names(desk.step()) == ["later 0", "later 1", "later 2"]
    desk.add(sequence("now", num_prompt=30), sequence("last", num_prompt=30, lead_s=3.0))
    begun = {name for _ in range(4) for name in names(desk.step())}
    assert begun == {"later 0", "later 1", "later 2", "now"}


def test_what_does_not_fit_waits_and_nobody_overtakes_it():
    desk = Desk(num_slots=3, num_pages=6)
    desk.add(
        sequence("a", num_prompt=20, max_tokens=13),  # two pages in each of two rows
        sequence("large", num_prompt=20, max_tokens=13),
        sequence("small", num_prompt=5, max_tokens=5),
    )
    assert names(desk.step()) == ["a"]
    assert desk.scheduler.pool.num_free == 2
    while names(desk.step()) == ["a"]:
        pass
    assert names(desk.step()) == ["large", "small"]


def test_the_integrity_check_sees_pages_of_nobody():
    desk = Desk()
    desk.add(sequence("a"))
    desk.step()
    desk.scheduler.pool.allocate("nobody", 1)
    with pytest.raises(RuntimeError, match="pages are needed"):
        desk.scheduler.check_integrity()
