"""Who runs when, and what every end frees. Without torch."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from app.config import T3Settings
from app.core import FinishReason, SamplingParams, SessionKey
from app.engine.t3.pages import Prefix
from app.engine.t3.scheduler import Ending, Scheduler, Work
from app.engine.t3.sequence import AddSequence, Sequence, SequenceState

STOP_TOKEN = 6562
FREE_TOKENS = 16
CONDITIONALS = SimpleNamespace()  # only carried


def sequence(name: str, *, num_prompt: int = 10, max_tokens: int = 5, **sampling) -> Sequence:
    params = SamplingParams(max_tokens=max_tokens, **sampling)
    key = SessionKey("tenant", name)
    message = AddSequence(key, 0, (1, 2, 3), CONDITIONALS, "voice", params)
    return Sequence(message, 2, num_prompt)


class Released:
    """What the scheduler says is free again."""

    def __init__(self) -> None:
        self.slots: list[int] = []
        self.prefixes: list[Prefix] = []

    def release(self, slot: int) -> None:
        self.slots.append(slot)

    def forget(self, prefix: Prefix) -> None:
        self.prefixes.append(prefix)


class Desk:
    """A scheduler, what it gave back, and a clock that only a test moves."""

    def __init__(
        self, num_slots: int = 2, min_tokens: int = 0, num_pages: int = 1000, **settings
    ) -> None:
        self.freed = Released()
        self.now_s = 100.0
        self.scheduler = Scheduler(
            T3Settings(slots=num_slots, **settings),
            Ending(STOP_TOKEN, min_tokens),
            self.freed,
            lambda: self.now_s,
            num_pages=num_pages,
            free_tokens=FREE_TOKENS,
        )

    @property
    def released(self) -> list[int]:
        return self.freed.slots

    def add(self, *sequences: Sequence) -> None:
        for one in sequences:
            self.scheduler.add(one)

    def step(self, token: int | None = 1) -> list[Work]:
        work = self.scheduler.schedule()
        self.scheduler.postprocess(work, [token for item in work if item.samples])
        self.scheduler.check_integrity()
        return work


def names(work: list[Work]) -> list[str]:
    return [item.sequence.key.session_id for item in work]


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
