"""Recognisers in real processes, with a scripted recogniser."""

import asyncio
import os
import signal
import sys
import time

import psutil
import pytest

from app.errors import Overloaded, Unavailable
from app.hearing.ears import FinalText, HearingFailed, PartialText
from app.hearing.subprocess_host import SubprocessHost
from app.hearing_settings import HearingSettings
from tests.support.ears import Listener
from tests.support.eventually import eventually
from tests.support.scripted_recogniser import DIES, HANGS, MAKER, SLOW, SLOW_S

pytestmark = pytest.mark.full


@pytest.fixture
async def host():
    host = SubprocessHost(MAKER, num_recognisers=2, num_warm=1)
    await host.start()
    yield host
    pids = host.pids
    await host.aclose()
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def hears(listener, *values):
    await listener.say(*values)
    await listener.ears.commit()
    return (await listener.until(FinalText)).text


async def idle(host, num):
    async with asyncio.timeout(10):
        while host.num_leased or len(host.pids) < num:
            await asyncio.sleep(0.01)


async def test_one_process_serves_calls_one_after_another(host):
    for _ in range(3):
        listener = await Listener.open(host)
        assert await hears(listener, 1, 2) == "1 2"
        assert await hears(listener, 3) == "3"
        await listener.aclose()
        await idle(host, 2)
    assert host.num_replaced == 0
    assert len(host.pids) == 2


async def test_a_call_that_left_in_the_middle_leaves_nothing_to_the_next(host):
    first = await Listener.open(host)
    await first.say(1, 2)
    await first.until(PartialText)
    await first.aclose()
    await idle(host, 1)
    second = await Listener.open(host)
    assert await hears(second, 3) == "3"
    await second.aclose()


async def test_calls_have_processes_of_their_own_and_one_too_many_is_refused(host):
    both = [await Listener.open(host), await Listener.open(host)]
    assert await asyncio.gather(*(hears(each, 1) for each in both)) == ["1", "1"]
    assert len(set(host.pids)) == 2
    with pytest.raises(Overloaded) as caught:
        await Listener.open(host)
    assert caught.value.retry_after_s > 0
    await both[0].aclose()
    third = await Listener.open(host)
    assert await hears(third, 4) == "4"
    for each in (both[1], third):
        await each.aclose()


async def test_an_abort_waits_for_one_frame_and_not_for_those_behind_it(host):
    listener = await Listener.open(host)
    assert await hears(listener, 1) == "1"
    await listener.say(*[SLOW] * 40)
    await listener.until(PartialText)
    began_s = time.monotonic()
    aborted = await listener.ears.abort(2)
    assert time.monotonic() - began_s < 20 * SLOW_S  # of 40
    assert began_s <= aborted.aborted_at_s <= aborted.freed_at_s
    listener.events.clear()
    assert await hears(listener, 5) == "5"
    assert not any(event.generation == 2 for event in listener.events)
    await listener.aclose()


@pytest.mark.parametrize("how", ["exits", "killed"])
async def test_a_process_that_dies_is_replaced_and_the_next_utterance_is_heard(host, how):
    listener = await Listener.open(host)
    assert await hears(listener, 1) == "1"
    if how == "exits":
        await listener.say(DIES)
    else:
        await listener.say(2)
        os.kill(host.leased_pids[0], signal.SIGKILL)
    failed = await listener.until(HearingFailed)
    assert (failed.generation, failed.code) == (2, "recogniser_died")
    await listener.ears.commit()
    assert await hears(listener, 3) == "3"
    assert host.num_replaced == 1
    await listener.aclose()


async def test_a_process_that_hangs_is_killed_and_replaced(host):
    listener = await Listener.open(host, settings=HearingSettings(hang_s=0.5))
    assert await hears(listener, 1) == "1"
    hung = host.leased_pids[0]
    await listener.say(HANGS)
    assert (await listener.until(HearingFailed)).code == "recogniser_hung"
    await listener.ears.commit()
    assert await hears(listener, 3) == "3"
    async with asyncio.timeout(10):
        while psutil.pid_exists(hung):
            await asyncio.sleep(0.01)
    await listener.aclose()


async def test_a_call_that_leaves_a_hung_process_frees_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr("app.hearing.subprocess_host.RESET_S", 0.2)
    hung = tmp_path / "hung"
    host = SubprocessHost(MAKER, str(hung), num_recognisers=1)
    listener = await Listener.open(host)
    assert await hears(listener, 1) == "1"
    await listener.say(HANGS)
    await eventually(hung.exists, 10, "it hangs")
    await listener.aclose()
    await idle(host, 1)
    assert host.num_replaced == 1
    await host.aclose()


async def test_another_interpreter_can_be_used():
    host = SubprocessHost(MAKER, python=sys.executable, num_recognisers=1)
    listener = await Listener.open(host)
    assert await hears(listener, 1) == "1"
    await listener.aclose()
    await host.aclose()


async def test_an_interpreter_that_does_not_exist_is_told():
    with pytest.raises(Unavailable, match="does not start"):
        await SubprocessHost(MAKER, python="/nowhere/python").lease()


async def test_a_recogniser_that_cannot_be_loaded_fails_the_utterance_with_the_cause():
    host = SubprocessHost("app.hearing.no_such_module:Recogniser", num_recognisers=1, num_warm=0)
    listener = await Listener.open(host)
    await listener.say(1)
    failed = await listener.until(HearingFailed)
    assert failed.code == "recogniser_died"
    assert "no_such_module" in failed.message
    await listener.aclose()
    await host.aclose()
