"""Counts are exact: a refused request uses nothing, and every ticket is given back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.quota import DAY_S, UsageCounter
from app.key_settings import Quota
from tests.support.clock import Clock

LIVE_S = 660


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(clock):
    return UsageCounter(now=clock)


async def test_a_key_without_limits_is_always_admitted(ledger):
    for _ in range(100):
        assert (await ledger.admit("k", Quota(), 10_000, LIVE_S)).ticket


async def test_concurrent_sessions_are_limited(ledger):
    quota = Quota(max_concurrent=2)
    first, _ = [(await ledger.admit("k", quota, 10, LIVE_S)).ticket for _ in range(2)]
    refused = await ledger.admit("k", quota, 10, LIVE_S)
    assert (refused.ticket, refused.refusal) == (None, "max_concurrent")
    await ledger.settle("k", first, 1)
    await ledger.settle("k", first, 1)  # a second time changes nothing
    assert (await ledger.admit("k", quota, 10, LIVE_S)).ticket
    assert (await ledger.admit("k", quota, 10, LIVE_S)).ticket is None
    assert (await ledger.admit("other", quota, 10, LIVE_S)).ticket


async def test_requests_per_minute_are_limited(ledger, clock):
    quota = Quota(requests_per_minute=2)
    for _ in range(2):
        assert (await ledger.admit("k", quota, 10, LIVE_S)).ticket
        clock.now += 20
    refused = await ledger.admit("k", quota, 10, LIVE_S)
    assert (refused.refusal, refused.retry_after_s) == ("requests_per_minute", 20)
    clock.now += refused.retry_after_s
    assert (await ledger.admit("k", quota, 10, LIVE_S)).ticket


async def test_the_audio_of_a_day_is_reserved_then_settled(ledger, clock):
    quota = Quota(audio_s_per_day=10)
    ticket = (await ledger.admit("k", quota, 10, LIVE_S)).ticket
    assert (await ledger.admit("k", quota, 1, LIVE_S)).refusal == "audio_s_per_day"
    await ledger.settle("k", ticket, 4.0)
    assert (await ledger.admit("k", quota, 10, LIVE_S)).ticket is None
    assert (await ledger.admit("k", quota, 5, LIVE_S)).ticket
    refused = await ledger.admit("k", quota, 5, LIVE_S)
    assert refused.retry_after_s == DAY_S - clock.now % DAY_S
    clock.now += refused.retry_after_s
    assert (await ledger.admit("k", quota, 5, LIVE_S)).ticket


async def test_the_tickets_of_a_dead_ingress_expire(ledger, clock):
    quota = Quota(max_concurrent=1)
    lost = (await ledger.admit("k", quota, 10, LIVE_S)).ticket
    clock.now += LIVE_S + 1
    assert (await ledger.admit("k", quota, 10, LIVE_S)).ticket
    await ledger.settle("k", lost, 5)
    assert (await ledger.admit("k", quota, 10, LIVE_S)).ticket is None


async def test_what_is_heard_in_a_day_is_bounded_apart_from_what_is_spoken(ledger, clock):
    quota = Quota(heard_s_per_day=20, audio_s_per_day=5)
    assert (await ledger.charge_heard("k", quota, 10)).ticket is not None
    assert (await ledger.charge_heard("k", quota, 10)).ticket is not None
    refused = await ledger.charge_heard("k", quota, 10)
    assert (refused.ticket, refused.refusal) == (None, "heard_s_per_day")
    assert (await ledger.charge_heard("other", quota, 10)).ticket is not None
    assert (await ledger.admit("k", quota, 5, LIVE_S)).ticket
    clock.now += refused.retry_after_s
    assert (await ledger.charge_heard("k", quota, 10)).ticket is not None


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.integers(0, 30)), max_size=60))
async def test_no_limit_is_ever_exceeded(steps):
    clock = Clock()
    ledger = UsageCounter(now=clock)
    quota = Quota(max_concurrent=3, requests_per_minute=5)
    live, admitted = {"a": [], "b": []}, {"a": [], "b": []}
    for name, is_new, wait_s in steps:
        clock.now += wait_s
        if not is_new and live[name]:
            await ledger.settle(name, live[name].pop(), 1.0)
        elif is_new:
            recent = sum(at > clock.now - 60 for at in admitted[name])
            room = len(live[name]) < 3 and recent < 5
            ticket = (await ledger.admit(name, quota, 1, 1e9)).ticket
            assert bool(ticket) == room
            if ticket:
                live[name].append(ticket)
                admitted[name].append(clock.now)
