import asyncio
import time

import pytest

from app.hearing import cancel_chain as chain
from app.hearing.cancel_chain import ChainMark, ChainSteps, cancel_chain, chain_legs
from app.hearing.ears import Aborted


def after(seconds, answer=None):
    async def step():
        await asyncio.sleep(seconds)
        return answer

    return step


async def fails():
    raise RuntimeError("the player is gone")


async def test_all_steps_run_at_once():
    all_are_there = asyncio.Barrier(5)
    steps = ChainSteps(*[all_are_there.wait] * 2, None, *[all_are_there.wait] * 3)
    report = await cancel_chain(steps, time.monotonic() - 0.1, time.monotonic())
    assert report.failures == {}
    marks = set(ChainMark) - {ChainMark.RECOGNISER_ABORTED, ChainMark.RECOGNISER_FREED}
    assert set(report.marks) == marks


async def test_every_leg_is_counted_from_the_notice():
    now_s = time.monotonic()
    steps = ChainSteps(silence_player=after(0), cancel_speech=after(0.03))
    report = await cancel_chain(steps, now_s - 0.1, now_s)
    legs = report.legs_ms
    assert legs["notice"] == pytest.approx(100, abs=0.01)
    assert legs["silence"] <= legs["tts_ack"] == legs["chain"]
    assert legs["tts_sent"] < 20
    assert legs["tts_ack"] >= 29
    assert "llm" not in legs


async def test_the_marks_of_an_abort_are_those_of_the_recogniser():
    aborted = Aborted(3, 12.5, 12.75)
    steps = ChainSteps(abort_recogniser=after(0, aborted))
    report = await cancel_chain(steps, 12.0, 12.25)
    assert report.marks[ChainMark.RECOGNISER_ABORTED] == 12.5
    assert report.legs_ms["recogniser_abort"] == 250
    assert report.legs_ms["recogniser_free"] == 500


async def test_an_abort_of_nothing_takes_no_time_of_a_recogniser():
    now_s = time.monotonic()
    report = await cancel_chain(ChainSteps(abort_recogniser=after(0, Aborted(3))), now_s, now_s)
    assert report.legs_ms["recogniser_free"] < 20


async def test_a_step_that_fails_stops_no_other():
    steps = ChainSteps(silence_player=fails, cancel_llm=after(0.01))
    report = await cancel_chain(steps, 0.0, time.monotonic())
    assert report.failures == {"silence_player": "RuntimeError: the player is gone"}
    assert ChainMark.LLM_CANCELLED in report.marks
    assert ChainMark.PLAYBACK_SILENT not in report.marks


async def test_a_step_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(chain, "STEP_S", 0.02)
    steps = ChainSteps(silence_player=after(0), cancel_llm=after(60))
    report = await cancel_chain(steps, 0.0, time.monotonic())
    assert report.failures == {"cancel_llm": "took longer than 0.02 s"}
    assert ChainMark.PLAYBACK_SILENT in report.marks


async def test_a_cancelled_chain_cancels_its_steps():
    begun, ended = asyncio.Event(), []

    async def step():
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    running = asyncio.ensure_future(cancel_chain(ChainSteps(cancel_llm=step), 0.0, 0.0))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await asyncio.sleep(0)
    assert ended == [True]


async def test_a_call_without_any_part_has_nothing_to_stop():
    report = await cancel_chain(ChainSteps(), 1.0, 1.25)
    assert report.legs_ms == {"notice": 250.0, "chain": 0.0}


def test_legs_without_marks_are_left_out():
    assert chain_legs({}) == {}
    assert chain_legs({ChainMark.SPEECH_BEGAN: 1.0}) == {}
