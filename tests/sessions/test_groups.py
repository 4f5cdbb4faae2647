"""Ids that stand for several sessions, from the ingress's side."""

import asyncio
import time

import pytest

from app.core import CancelState, FinishReason, SessionKey
from app.errors import Unavailable
from app.sessions import table
from app.sessions.groups import SessionGroups
from app.sessions.registry import Registry
from app.sessions.table import Claim, ReplicaId, SessionEnd, SessionTable
from tests.support.clock import Clock
from tests.support.eventually import eventually

SOCKET = SessionKey("default", "socket")
WAIT_S = 30


class Client:
    """A registry in this process."""

    def __init__(self, registry):
        self.registry = registry
        self.finishing = []

    async def claim_group(self, key):
        return await self.registry.claim_group(key)

    def finish_group(self, key, end):
        self.finishing.append(asyncio.ensure_future(self.registry.finish(key, end)))


class DeadClient:
    async def claim_group(self, key):
        raise Unavailable("the registry does not answer")


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def groups(registry):
    return SessionGroups(Client(registry))


async def is_known(registry):
    await eventually(lambda: registry.session(SOCKET), WAIT_S, "the registry knows the group")


async def test_a_group_has_a_report_while_it_is_open_and_after_it(groups, registry):
    with groups.open(SOCKET) as group:
        await is_known(registry)
        assert (await registry.session(SOCKET)).finish is None
        group.audio_sent_s, group.num_tokens = 2.0, 50
    await eventually(lambda: finish_of(registry), WAIT_S, "the end is told")
    report = await registry.session(SOCKET)
    assert (report.finish, report.cause) == (FinishReason.STOP, "finished")
    assert (report.audio_sent_ms, report.tokens_generated) == (2000.0, 50)


async def finish_of(registry):
    return (await registry.session(SOCKET)).finish


async def test_a_group_is_no_live_session(groups, registry):
    with groups.open(SOCKET):
        await is_known(registry)
        assert await registry.live(None) == ()


async def test_a_cancel_of_a_group_is_confirmed_when_the_group_has_ended(groups, registry):
    with groups.open(SOCKET) as group:
        await is_known(registry)
        cancelling = asyncio.ensure_future(registry.cancel(SOCKET, wait_s=WAIT_S))
        await asyncio.sleep(0)
        groups.stop(SOCKET)
        await group.stopped
        group.finish, group.cause = FinishReason.CANCELLED, "cancel"
    assert (await cancelling).state is CancelState.STOPPED
    assert groups.keys() == frozenset()


async def test_a_cancel_that_came_before_its_group_stops_it(groups, registry):
    assert (await registry.cancel(SOCKET)).state is CancelState.UNKNOWN
    with groups.open(SOCKET) as group:
        await asyncio.wait_for(group.stopped, WAIT_S)


async def test_a_second_group_of_an_id_does_not_end_the_first(groups, registry):
    with groups.open(SOCKET):
        await is_known(registry)
        with groups.open(SOCKET):
            pass
        assert groups.keys() == {SOCKET}
        assert await finish_of(registry) is None


async def test_a_group_opens_without_a_registry():
    groups = SessionGroups(DeadClient())
    with groups.open(SOCKET) as group:
        groups.stop(SOCKET)
        await group.stopped
    await asyncio.sleep(0)


async def test_a_new_registry_is_told_the_open_groups(registry):
    registry.follow(ReplicaId("t3", "a"))
    await registry.restore((), (), [SOCKET])
    assert (await registry.cancel(SOCKET, wait_s=0)).state is CancelState.STOPPING
    assert await registry.live(None) == ()


# -- in the table ----------------------------------------------------------------------------------


def test_an_open_group_is_never_forgotten_and_keeps_nothing_else():
    clock = Clock()
    sessions = SessionTable(300, 600, clock)
    assert sessions.claim_group(SOCKET) is Claim.GRANTED
    other = SessionKey("default", "other")
    sessions.claim(other)
    sessions.finish(other, SessionEnd(FinishReason.STOP))
    clock.now += 100_000
    assert sessions.get(SOCKET) is not None
    assert len(sessions) == 1
    sessions.finish(SOCKET, SessionEnd(FinishReason.STOP))
    clock.now += 301
    assert sessions.get(SOCKET) is None
    assert len(sessions) == 0


def test_groups_whose_ingress_died_are_bounded(monkeypatch):
    monkeypatch.setattr(table, "MAX_GROUPS", 3)
    sessions = SessionTable(300, 600, time.monotonic)
    for number in range(5):
        sessions.claim_group(SessionKey("default", f"{number}"))
    assert len(sessions) == 3


def test_an_id_is_a_group_or_a_session():
    sessions = SessionTable(300, 600, time.monotonic)
    sessions.claim_group(SOCKET)
    assert sessions.claim(SOCKET) is Claim.DUPLICATE
    sessions.claim(SessionKey("default", "a"))
    assert sessions.claim_group(SessionKey("default", "a")) is Claim.DUPLICATE
