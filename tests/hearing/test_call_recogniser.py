"""A recogniser that dies, hangs, fails or is late: each utterance has an end, and the next is
heard."""

import asyncio

import pytest

from app.errors import Unavailable
from app.hearing import call_recogniser
from app.hearing.ears import FinalText, HearingFailed
from app.hearing_settings import HearingSettings
from tests.support.ears import Listener
from tests.support.eventually import eventually
from tests.support.inline_host import InlineHost
from tests.support.scripted_recogniser import RAISES


@pytest.fixture(autouse=True)
def _quick_ticks(monkeypatch):
    monkeypatch.setattr(call_recogniser, "TICK_S", 0.002)
    monkeypatch.setattr(call_recogniser, "RETRY_S", 0.002)


async def next_is_heard(listener, host):
    host.is_held = False
    for link in host.live_links:
        link.is_held = False
    await listener.settled()
    listener.events.clear()
    await listener.say(9)
    await listener.ears.commit()
    return (await listener.until(FinalText)).text == "9"


async def test_a_recogniser_that_dies_is_replaced():
    host = InlineHost()
    listener = await Listener.open(host)
    await listener.say(1)
    host.links[0].die()
    failed = await listener.until(HearingFailed)
    assert (failed.generation, failed.code) == (1, "recogniser_died")
    await listener.ears.commit()
    assert await next_is_heard(listener, host)
    assert [link.was_broken for link in host.links] == [True, False]
    await listener.aclose()


async def test_sound_that_comes_while_a_recogniser_is_replaced_is_heard():
    host = InlineHost()
    listener = await Listener.open(host)
    leases = host.lease
    may_lease = asyncio.Event()

    async def slow_lease():
        await may_lease.wait()
        return await leases()

    host.lease = slow_lease
    host.links[0].die()
    await listener.settled()
    await listener.say(5, 6)
    await listener.ears.commit()
    may_lease.set()
    assert (await listener.until(FinalText)).text == "5 6"
    await listener.aclose()


async def test_a_host_that_is_away_is_asked_until_it_is_back():
    host = InlineHost()
    listener = await Listener.open(host)
    leases, num_refused = host.lease, 0

    async def away():
        nonlocal num_refused
        num_refused += 1
        if num_refused < 4:
            raise Unavailable("away")
        return await leases()

    host.lease = away
    host.links[0].die()
    await listener.settled()
    await listener.say(5)
    await listener.ears.commit()
    assert (await listener.until(FinalText)).text == "5"
    assert num_refused == 4
    await listener.aclose()


async def test_a_recogniser_that_hangs_is_replaced():
    host = InlineHost(is_held=True)
    settings = HearingSettings(hang_s=0.02)
    listener = await Listener.open(host, settings=settings)
    await listener.say(1)
    failed = await listener.until(HearingFailed)
    assert (failed.generation, failed.code) == (1, "recogniser_hung")
    assert host.links[0].was_broken
    await listener.ears.commit()
    assert await next_is_heard(listener, host)
    await listener.aclose()


async def test_a_recogniser_that_waits_for_sound_has_not_hung():
    settings = HearingSettings(hang_s=0.02)
    listener = await Listener.open(settings=settings)
    await listener.say(1)
    hanging = await Listener.open(InlineHost(is_held=True), settings=settings)
    await hanging.say(1)
    await hanging.until(HearingFailed)  # in the same time
    await hanging.aclose()
    await listener.ears.commit()
    assert (await listener.until(FinalText)).text == "1"
    assert not any(isinstance(event, HearingFailed) for event in listener.events)
    await listener.aclose()


async def test_final_words_that_never_come_are_a_failure():
    host = InlineHost()
    listener = await Listener.open(host, settings=HearingSettings(hang_s=0.02))
    await listener.say(1)
    host.links[0].is_held = True
    await listener.ears.commit()
    assert (await listener.until(HearingFailed)).code == "recogniser_hung"
    await listener.aclose()


async def test_an_error_of_the_recogniser_fails_one_utterance():
    host = InlineHost()
    listener = await Listener.open(host)
    await listener.say(1, RAISES, 2)
    failed = await listener.until(HearingFailed)
    assert failed.code == "recogniser_failed"
    assert "scripted" in failed.message
    await listener.ears.commit()
    assert await next_is_heard(listener, host)
    assert len(host.links) == 1
    await listener.aclose()


async def test_a_recogniser_that_is_too_slow_loses_the_utterance_and_the_detector_does_not_wait(
    monkeypatch,
):
    monkeypatch.setattr("app.hearing.call.AHEAD_SHARE", 1000)  # the sound comes as it is spoken
    host = InlineHost(is_held=True)
    listener = await Listener.open(host, settings=HearingSettings(max_lag_s=0.3))
    await listener.say(*[1] * 12)
    failed = await listener.until(HearingFailed)
    assert failed.code == "recogniser_late"
    await listener.ears.commit()
    assert await next_is_heard(listener, host)
    await listener.aclose()


async def test_sound_that_is_faster_than_real_time_waits_for_the_recogniser():
    host = InlineHost(is_held=True)
    listener = await Listener.open(host, settings=HearingSettings(max_lag_s=0.3))
    saying = asyncio.ensure_future(listener.say(*[1] * 300))
    waiting = host.links[0].waiting
    await eventually(lambda: len(waiting) >= 10, 5, "more than 0.3 s of sound waits")
    await listener.settled(100)
    assert not saying.done()
    assert len(waiting) <= 11  # 0.3 s, and a frame
    while not saying.done():
        host.links[0].work()
        await asyncio.sleep(0)
    await saying
    host.links[0].is_held = False
    await listener.ears.commit()
    assert len((await listener.until(FinalText)).text.split()) == 300
    assert not any(isinstance(event, HearingFailed) for event in listener.events)
    await listener.aclose()


async def test_an_abort_that_is_not_answered_replaces_the_recogniser():
    host = InlineHost(is_held=True)
    listener = await Listener.open(host, settings=HearingSettings(hang_s=0.05))
    await listener.say(1)
    aborted = await listener.ears.abort(1)
    assert aborted.aborted_at_s is None
    assert aborted.freed_at_s is not None
    assert host.links[0].was_broken
    assert await next_is_heard(listener, host)
    await listener.aclose()


async def test_an_abort_ends_when_the_recogniser_dies():
    host = InlineHost(is_held=True)
    listener = await Listener.open(host)
    await listener.say(1)
    aborting = asyncio.ensure_future(listener.ears.abort(1))
    await listener.settled()
    host.links[0].die()
    assert (await aborting).aborted_at_s is None
    assert listener.events == []
    await listener.aclose()


async def test_two_hundred_calls_that_leave_at_once_leave_nothing_behind():
    host = InlineHost(num_recognisers=200, is_held=True)
    listeners = [await Listener.open(host) for _ in range(200)]
    for listener in listeners:
        await listener.ears.accept(bytes(1024))
    await asyncio.gather(*(listener.aclose() for listener in listeners))
    assert host.live_links == []
    assert len(asyncio.all_tasks()) == 1
