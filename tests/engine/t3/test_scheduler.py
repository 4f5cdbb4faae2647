"""Who runs when, and what every end frees. Without torch."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.core import FinishReason, SamplingParams
from app.engine.t3.sequence import AddSequence, SequenceState
from tests.engine.t3.desk import CONDITIONALS, FREE_TOKENS, STOP_TOKEN, Desk, names, sequence


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
    desk.step()
    desk.add(*[sequence(f"p{n}", num_prompt=n, max_tokens=10_000) for n in num_prompts])
    left = 2 * sum(num_prompts)
    while left:
        work = desk.step()
        prompts = [item for item in work if item.start < item.sequence.num_prompt]
        beside = sum(item.sequence.num_rows for item in work if item not in prompts)
        num_tokens = sum(item.num_tokens * item.sequence.num_rows for item in prompts)
        assert cost(beside + num_tokens) <= (1 + share) * cost(beside)
        assert num_tokens > 0
        left -= num_tokens


def test_where_nobody_decodes_prompts_have_the_whole_step():
    desk = Desk(prefill_tokens=100, prefill_share=0.25)
    desk.add(sequence("a", num_prompt=40), sequence("b", num_prompt=40))
    assert [item.num_tokens for item in desk.step()] == [40, 10]  # of two rows each


def test_a_prompt_begins_where_its_prefix_ends_once_that_is_computed():
    desk = Desk(num_slots=3, prefill_tokens=12)
    desk.add(*[sequence(name, num_prompt=10, num_prefix=8) for name in "abc"])
    chunks = [[(i.start, i.num_tokens) for i in desk.step() if i.start < 10] for _ in range(4)]
    assert chunks == [[(0, 6)], [(6, 4)], [(8, 2), (8, 2)], []]


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
