"""What a registry knows of the replicas that report to it, and of newer configs."""

import math

import pytest

from app.core import SessionKey, StageStats
from app.sessions.registry import FOLLOWER_LOST_S, REPORT_LOST_S, Heartbeat, Registry
from app.sessions.table import Claim, ReplicaId
from tests.sessions.test_table import Clock

A, B = SessionKey("default", "a"), SessionKey("default", "b")


@pytest.fixture
def clock():
    return Clock()


async def test_a_model_that_is_deployed_again_is_no_longer_unloaded(clock):
    registry = Registry(now=clock)

    async def told_by(*stages):
        clock.now += REPORT_LOST_S + 1
        for stage in stages:
            await registry.report(ReplicaId(stage, "r"), Heartbeat(StageStats()))

    await told_by("t3", "vocoder", "ingress")
    await registry.switch(loaded=False)
    await told_by("t3", "vocoder", "ingress")  # they have not ended yet
    assert await registry.claim(A) is Claim.UNLOADED
    await told_by("ingress")
    assert await registry.claim(A) is Claim.UNLOADED
    await told_by("ingress", "t3")
    assert await registry.claim(A) is Claim.UNLOADED
    await told_by("ingress", "t3", "vocoder")
    assert await registry.claim(A) is Claim.GRANTED


async def test_what_lives_keeps_the_time_that_it_began_with(clock):
    registry = Registry(live_s=660, now=clock)
    await registry.claim(A)
    await registry.configure(300, 90, math.inf, since_s=1)
    clock.now += 100
    assert await registry.claim(A) is Claim.DUPLICATE
    await registry.claim(B)
    clock.now += 100
    assert await registry.claim(B) is Claim.GRANTED


async def test_followers_that_are_gone_are_forgotten(clock):
    registry = Registry(now=clock)
    await registry.poll(ReplicaId("t3", "gone"), "", 0)
    clock.now += FOLLOWER_LOST_S + 1
    await registry.poll(ReplicaId("t3", "here"), "", 0)
    assert (await registry.inventory()).num_followers == 1
