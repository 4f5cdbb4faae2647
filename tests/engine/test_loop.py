"""EngineLoop over an engine that counts, and that a test can hold at a step."""

import asyncio
import math
import sys
import threading
from dataclasses import dataclass, field

import pytest

from app.core import FinishReason, SessionKey, StageStats
from app.engine.loop import NOTHING_STOPPED, EngineLoop, Stopped
from app.engine.stream import SegmentKey
from app.errors import SynthesisFailed, Unavailable
from tests.support.clock import Clock

WAIT_S = 30.0


@dataclass(frozen=True)
class Count:
    """Both the message, count from 0 to `value`, and the item."""

    key: SessionKey
    segment: int
    value: int
    finish: FinishReason | None = None


@dataclass
class CountingEngine:
    """Emits 0, 1, ... per live segment and step. Acquires `gate` before each step."""

    gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(10_000))
    begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    fail_at: int | None = None
    steps: int = 0
    aborts: int = 0
    is_due_s: float = math.inf  # while anything is live
    pauses_s: list[float] = field(default_factory=list)  # the next ones
    live: dict[SegmentKey, list[int]] = field(default_factory=dict)  # [next, end]
    ended: list[Count] = field(default_factory=list)

    def receive(self, message: Count) -> None:
        self.live[SegmentKey(message.key, message.segment)] = [0, message.value]

    def cancel(self, key: SessionKey, segment: int | None) -> Stopped:
        found = [live for live in self.live if live.key == key and segment in (None, live.segment)]
        counts = [self.live.pop(live)[0] for live in found]
        self.ended += [
            Count(*live, n, FinishReason.CANCELLED) for live, n in zip(found, counts, strict=True)
        ]
        return Stopped(bool(found), sum(counts))

    def has_work(self) -> bool:
        return bool(self.live or self.ended)

    def pause_s(self) -> float:
        return self.pauses_s.pop(0) if self.pauses_s else 0.0

    def step(self) -> list[Count]:
        if self.live:
            self.begun.release()
            self.gate.acquire()
        self.steps += 1
        if self.steps == self.fail_at:
            raise RuntimeError("the device is gone")
        items, self.ended = self.ended, []
        for live, counter in list(self.live.items()):
            is_last = counter[0] + 1 == counter[1]
            items.append(Count(*live, counter[0], FinishReason.STOP if is_last else None))
            counter[0] += 1
            if is_last:
                del self.live[live]
        return items

    def abort(self) -> None:
        self.aborts += 1
        self.live.clear()

    def stats(self) -> StageStats:
        return StageStats(live=len(self.live))

    def due_s(self) -> float:
        return self.is_due_s if self.live else math.inf


def key(name: str) -> SessionKey:
    return SessionKey("default", name)


@pytest.fixture
def engine():
    return CountingEngine()


@pytest.fixture
def loop(engine):
    loop = EngineLoop(engine, "counting")
    loop.start()
    yield loop
    engine.gate.release(10_000)
    loop.close()


async def inside_step(engine: CountingEngine, number: int) -> None:
    """Returns when the thread is at the gate of this step, or past it."""
    for _ in range(number):
        begun = await asyncio.to_thread(engine.begun.acquire, timeout=WAIT_S)
        assert begun, f"step {number} did not begin in {WAIT_S:g} s"


async def values(stream) -> list[int]:
    return [item.value async for item in stream]


async def test_a_segments_items_arrive_in_order_up_to_its_end(loop):
    assert await values(loop.open(key("a"), 0, Count(key("a"), 0, 5))) == [0, 1, 2, 3, 4]


async def test_segments_of_many_sessions_run_side_by_side(loop):
    streams = [loop.open(key(str(i)), i, Count(key(str(i)), i, 20 + i)) for i in range(10)]
    heard = await asyncio.gather(*(values(stream) for stream in streams))
    assert [len(numbers) for numbers in heard] == [20 + i for i in range(10)]


async def test_a_cancel_is_applied_before_the_next_step(loop, engine):
    engine.gate = threading.Semaphore(3)
    stream = loop.open(key("a"), 0, Count(key("a"), 0, 1000))
    for _ in range(3):
        await anext(stream)
    await inside_step(engine, 4)
    stopping = asyncio.ensure_future(loop.cancel(key("a")))
    await asyncio.sleep(0)  # the cancel is in the inbox
    engine.gate.release()
    assert await stopping == Stopped(live=True, num_tokens=4)
    rest = [item async for item in stream]
    assert [item.finish for item in rest] == [None, FinishReason.CANCELLED]
    assert engine.steps == 5  # 3, the one in flight, and the one with the last item


async def test_start_makes_the_switch_interval_shorter_than_a_millisecond(engine):
    sys.setswitchinterval(0.005)  # Python's own
    running = EngineLoop(engine, "counting")
    running.start()
    try:
        assert sys.getswitchinterval() < 0.001
    finally:
        running.close()


async def test_hung_is_set_while_a_step_takes_too_long(engine):
    engine.gate = threading.Semaphore(0)
    loops = [EngineLoop(engine, "counting", step_timeout_s=s) for s in (0.0, 3600.0)]
    for running in loops:
        running.start()
        assert running.hung is None
        stream = running.open(key("a"), 0, Count(key("a"), 0, 1))
        await inside_step(engine, 1)
        assert (running.hung is None) == (running is loops[1])
        engine.gate.release()
        assert await values(stream) == [0]
        running.close()
        assert running.hung is None


async def test_an_engine_with_nothing_to_do_for_a_while_takes_no_step(loop, engine):
    engine.pauses_s = [0.01, 0.01]
    assert await values(loop.open(key("a"), 0, Count(key("a"), 0, 3))) == [0, 1, 2]
    assert engine.steps == 3


async def test_a_message_ends_the_pause_of_an_engine(loop, engine):
    engine.pauses_s = [1000.0] * 3
    stream = loop.open(key("a"), 0, Count(key("a"), 0, 1000))
    assert (await anext(stream)).value == 0  # the message itself is followed by a step
    assert (await loop.cancel(key("a"))).live
    assert [item.finish async for item in stream][-1] is FinishReason.CANCELLED


async def test_lateness_grows_while_a_step_takes_long(engine):
    clock = Clock()
    engine.gate = threading.Semaphore(0)
    engine.is_due_s = clock.now + 2.0
    running = EngineLoop(engine, "counting", clock=clock)
    running.start()
    stream = running.open(key("a"), 0, Count(key("a"), 0, 2))
    await inside_step(engine, 1)
    assert running.stats().late_s == 0.0
    clock.now += 5.0
    assert running.stats().late_s == 3.0
    clock.now += 40.0
    assert running.stats().late_s == 43.0
    engine.is_due_s = clock.now  # the step brings the stream up to now
    engine.gate.release()
    await anext(stream)
    assert running.stats().late_s == 0.0
    engine.gate.release()
    assert await values(stream) == [1]
    clock.now += 60.0
    assert running.stats().late_s == 0.0, "nobody listens"
    running.close()


async def test_a_message_that_the_thread_has_not_seen_is_late_from_its_arrival(engine):
    clock = Clock()
    waiting = EngineLoop(engine, "counting", clock=clock)  # its thread has not run yet
    stream = waiting.open(key("a"), 0, Count(key("a"), 0, 1))
    clock.now += 3.0
    waiting.open(key("b"), 0, Count(key("b"), 0, 1))
    assert waiting.stats().late_s == 3.0
    waiting.start()
    assert await values(stream) == [0]
    assert waiting.stats().late_s == 0.0
    waiting.close()


async def test_a_cancel_of_an_unknown_session_is_a_no_op(loop):
    assert await loop.cancel(key("nobody")) == NOTHING_STOPPED


async def test_closing_a_stream_cancels_its_segment_alone(loop, engine):
    engine.gate = threading.Semaphore(0)
    one = loop.open(key("a"), 0, Count(key("a"), 0, 50))
    other = loop.open(key("a"), 1, Count(key("a"), 1, 5))
    one.close()
    one.close()
    engine.gate.release(1000)
    assert await values(other) == [0, 1, 2, 3, 4]
    assert engine.live == {}


async def test_an_error_of_the_engine_ends_every_stream_and_refuses_new_ones(engine):
    engine.fail_at = 3
    loop = EngineLoop(engine, "counting")
    engine.gate = threading.Semaphore(0)
    loop.start()
    streams = [loop.open(key(str(i)), 0, Count(key(str(i)), 0, 100)) for i in range(3)]
    engine.gate.release(100)
    for stream in streams:
        with pytest.raises(SynthesisFailed):
            await values(stream)
    loop.close()  # waits for the thread, which aborts the engine last
    assert isinstance(loop.failure, RuntimeError)
    assert engine.aborts == 1
    with pytest.raises(Unavailable):
        loop.open(key("late"), 0, Count(key("late"), 0, 1))
    assert await loop.cancel(key("0")) == NOTHING_STOPPED


async def test_a_thread_without_its_device_ends_the_streams(engine):
    def refused(run):
        raise RuntimeError("no such device")

    loop = EngineLoop(engine, "counting", refused)
    stream = loop.open(key("early"), 0, Count(key("early"), 0, 1))
    loop.start()
    with pytest.raises(SynthesisFailed):
        await values(stream)
    loop.close()
    assert isinstance(loop.failure, RuntimeError)
    with pytest.raises(Unavailable):
        loop.open(key("late"), 0, Count(key("late"), 0, 1))


async def test_close_ends_live_streams(loop, engine):
    engine.gate = threading.Semaphore(1)
    stream = loop.open(key("a"), 0, Count(key("a"), 0, 100))
    await anext(stream)
    closing = asyncio.get_running_loop().run_in_executor(None, loop.close)
    engine.gate.release(1)
    with pytest.raises(SynthesisFailed):
        await values(stream)
    await closing
    assert loop.failure is None


async def test_an_open_segment_cannot_be_opened_again(loop, engine):
    engine.gate = threading.Semaphore(0)
    first = loop.open(key("a"), 0, Count(key("a"), 0, 5))
    with pytest.raises(SynthesisFailed, match="already open"):
        loop.open(key("a"), 0, Count(key("a"), 0, 5))
    first.close()
    engine.gate.release(100)


async def test_a_caller_that_stops_waiting_for_its_cancel_harms_no_other(loop, engine):
    engine.gate = threading.Semaphore(1)
    stream = loop.open(key("a"), 0, Count(key("a"), 0, 1000))
    other = loop.open(key("b"), 0, Count(key("b"), 0, 3))
    await anext(stream)
    await inside_step(engine, 2)
    stopping = asyncio.ensure_future(loop.cancel(key("a")))
    await asyncio.sleep(0)  # the cancel is in the inbox
    stopping.cancel()
    await asyncio.wait({stopping})
    engine.gate.release(10)
    assert [item.finish async for item in stream][-1] is FinishReason.CANCELLED
    assert await values(other) == [0, 1, 2]
    assert loop.failure is None


async def test_cancel_is_due_sees_a_cancel_before_it_is_applied(loop, engine):
    engine.gate = threading.Semaphore(0)
    streams = [loop.open(key("a"), n, Count(key("a"), n, 9)) for n in (0, 1)]
    await inside_step(engine, 1)
    assert not loop.cancel_is_due(key("a"), 0)
    streams[1].close()
    assert (loop.cancel_is_due(key("a"), 0), loop.cancel_is_due(key("a"), 1)) == (False, True)
    stopping = asyncio.ensure_future(loop.cancel(key("a")))
    await asyncio.sleep(0)  # the cancel is in the inbox
    assert loop.cancel_is_due(key("a"), 0)
    assert not loop.cancel_is_due(key("b"), 0)
    engine.gate.release(10_000)
    await stopping
    assert not loop.cancel_is_due(key("a"), 0)
