"""The registry as a real actor: followers hear of cancels, and its death costs nobody a stream."""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Collection
from pathlib import Path

import pytest
import ray
from ray.exceptions import RayActorError

import deployments.registry
from app.config import Limits, ServeArgs
from app.core import CancelState, FinishReason, HealthStatus, SessionKey, StageStats
from app.errors import Unavailable
from app.registry import FOLLOWER_LOST_S, Registry, Report
from app.sessions import Claim, Confirmation, Follower, SessionEnd
from deployments.follower import RegistryFollower
from deployments.ledger import ledger_actor
from deployments.registry import RemoteRegistry, registry_actors, shard_of

LIMITS = Limits(remember_s=60)
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture
def actor():
    (actor,) = registry_actors(f"test-{uuid.uuid4().hex}", ServeArgs())
    ray.get(actor.health.remote(()))  # it has started
    yield actor
    ray.kill(actor)


class Replica:
    """A follower that counts what it was told to stop."""

    def __init__(
        self,
        actor,
        stage: str,
        client: RemoteRegistry | None = None,
        lives: Collection[SessionKey] = (),
    ) -> None:
        self.client = client
        self.lives = lives
        self.heard: asyncio.Queue[SessionKey] = asyncio.Queue()
        self.may_stop = asyncio.Event()
        self.may_stop.set()
        self.epochs: list[int] = []
        self.follower = RegistryFollower(
            (actor,),
            Follower(stage, uuid.uuid4().hex),
            self.stop,
            report=self.report,
            on_epoch=self.on_epoch,
        )
        self.follower.start()

    def report(self) -> Report:
        return Report(StageStats(1, 2, 3, 6))

    async def on_epoch(self, shard: int) -> None:
        self.epochs.append(shard)
        if self.client is not None:
            await self.client.restore(shard, self.lives)

    async def stop(self, key: SessionKey) -> Confirmation:
        self.heard.put_nowait(key)
        await self.may_stop.wait()
        return Confirmation(40)


def key() -> SessionKey:
    return SessionKey("default", uuid.uuid4().hex)


async def test_every_follower_hears_of_a_cancel(actor):
    replicas = [Replica(actor, stage) for stage in ("t3", "t3", "vocoder", "ingress")]
    a = key()
    await RemoteRegistry((actor,), LIMITS).cancel(a)
    assert [await replica.heard.get() for replica in replicas] == [a] * 4


async def test_a_finished_session_is_already_done_and_its_audio_is_told(actor):
    client = RemoteRegistry((actor,), LIMITS)
    a = key()
    assert await client.claim(a) is Claim.GRANTED
    client.finish(a, SessionEnd(FinishReason.STOP, 0.4, 10))
    assert await client.claim(a) is Claim.DUPLICATE  # a round trip: the finish has arrived
    ack = await client.cancel(a)
    assert (ack.state, ack.audio_sent_ms) == (CancelState.ALREADY_DONE, 400.0)


async def test_delaying_t3_delays_the_acknowledgement(actor):
    client = RemoteRegistry((actor,), LIMITS)
    a, warm_up = key(), key()
    await client.claim(a)
    replica = Replica(actor, "t3")
    await client.cancel(warm_up)
    await replica.heard.get()
    replica.may_stop.clear()
    cancelling = asyncio.ensure_future(actor.cancel.remote(a, None, 60.0))
    assert await replica.heard.get() == a
    client.finish(a, SessionEnd(FinishReason.CANCELLED, 0.2, 5))
    assert await client.claim(a) is Claim.DUPLICATE  # a round trip: the finish has arrived
    assert not cancelling.done()
    replica.may_stop.set()
    ack = await cancelling
    assert (ack.state, ack.tokens_generated, ack.tokens_discarded) == (CancelState.STOPPED, 40, 35)


async def test_a_killed_registry_comes_back_and_followers_hear_later_cancels(actor, monkeypatch):
    monkeypatch.setattr(deployments.registry, "RETRY_FOR_S", 60)  # the machine may be busy
    replica = Replica(actor, "vocoder")
    client = RemoteRegistry((actor,), LIMITS)
    await client.cancel(key())
    await replica.heard.get()
    ray.kill(actor, no_restart=False)
    while len(replica.epochs) < 2:  # before, the dying one may still take a cancel and tell nobody
        await asyncio.sleep(0.01)
    a = key()
    ack = await client.cancel(a)
    assert ack.state is CancelState.UNKNOWN
    assert await replica.heard.get() == a


async def test_with_the_registry_gone_for_good_requests_are_granted_and_cancels_refused(actor):
    client = RemoteRegistry((actor,), LIMITS)
    ray.kill(actor)
    while True:  # until the actor's death is known here
        try:
            await actor.health.remote(())
        except RayActorError:
            break
    assert await client.claim(key()) is Claim.GRANTED
    with pytest.raises(Unavailable):
        await client.cancel(key())
    with pytest.raises(Unavailable):
        await client.health()


async def test_health_sums_the_replicas_of_each_stage(actor):
    client = RemoteRegistry((actor,), LIMITS)
    replicas = [Replica(actor, "t3"), Replica(actor, "t3")]
    while (health := await client.health()).stages.get("t3", StageStats()).live < len(replicas):
        await asyncio.sleep(0.01)
    assert health.status is HealthStatus.STARTING  # no vocoder yet
    assert health.stages["t3"] == StageStats(2, 4, 6, 12)


async def test_an_acknowledged_cancel_outlives_the_registry_that_acknowledged_it(
    actor, monkeypatch
):
    monkeypatch.setattr(deployments.registry, "RETRY_FOR_S", 60)
    client = RemoteRegistry((actor,), LIMITS)
    ingress, t3 = Replica(actor, "ingress", client), Replica(actor, "t3")
    a = key()
    await client.cancel(a)
    for replica in (ingress, t3):
        assert await replica.heard.get() == a
    ray.kill(actor, no_restart=False)
    assert await t3.heard.get() == a  # told again by the ingress
    assert ingress.epochs == [0, 0]
    assert await client.claim(a) is Claim.CANCELLED


async def test_sessions_are_spread_over_the_shards_and_each_is_cancelled(cluster):
    actors = registry_actors(f"test-{uuid.uuid4().hex}", ServeArgs(registry_shards=3))
    client = RemoteRegistry(actors, LIMITS)
    heard: asyncio.Queue[SessionKey] = asyncio.Queue()

    async def stop(stopped: SessionKey) -> Confirmation:
        heard.put_nowait(stopped)
        return Confirmation(40)

    follower = Follower("t3", uuid.uuid4().hex)
    RegistryFollower(actors, follower, stop, report=lambda: Report(StageStats())).start()
    keys: list[SessionKey] = []
    while len({shard_of(k, actors) for k in keys}) < len(actors):
        keys.append(key())
    for k in keys:
        assert await client.claim(k) is Claim.GRANTED
        await client.cancel(k)
    assert {await heard.get() for _ in keys} == set(keys)
    while (await client.session(keys[-1])).tokens_generated != 40:
        await asyncio.sleep(0.01)
    for actor in actors:
        ray.kill(actor)


async def test_followers_that_are_gone_are_forgotten(monkeypatch):
    now_s = [0.0]
    registry = Registry(now=lambda: now_s[0])
    await registry.poll(Follower("t3", "gone"), "", 0)
    now_s[0] = FOLLOWER_LOST_S + 1
    await registry.poll(Follower("t3", "here"), "", 0)
    assert (await registry.inventory()).num_followers == 1


async def test_an_update_keeps_the_registry_and_tells_it_the_new_limits(actor):
    before, after = Limits(remember_s=60), Limits(remember_s=1e-6)
    a = key()
    for limits in (before, after):
        client = RemoteRegistry((actor,), limits)
        Replica(actor, "ingress", client)
        await client.claim(a)
        client.finish(a, SessionEnd(FinishReason.STOP, 0.4, 10))
    while await client.session(a) is not None:
        await asyncio.sleep(0.01)
    assert await client.claim(a) is Claim.GRANTED  # the old limits have it taken for a minute


async def test_a_drain_waits_for_who_lives_whatever_else_is_there_and_dies(actor, cluster):
    client = RemoteRegistry((actor,), LIMITS)
    a = key()
    ingress = Replica(actor, "ingress", client, lives=(lives := [a]))
    ledger = ledger_actor(f"test-{uuid.uuid4().hex}", 60.0)  # counts, and knows of no drain
    assert await client.claim(a) is Claim.GRANTED

    def drain(within_s: float) -> "subprocess.Popen[bytes]":
        address = ray.get_runtime_context().gcs_address
        return subprocess.Popen(
            [sys.executable, "-m", "deployments.drain", address, str(within_s)], cwd=ROOT
        )

    draining = drain(60)
    while await client.claim(key()) is not Claim.DRAINING:
        await asyncio.sleep(0.05)
    ray.kill(actor, no_restart=False)
    while await client.claim(b := key()) is not Claim.DRAINING:  # the new one knows it, too
        client.finish(b, SessionEnd(FinishReason.STOP, 0.4, 10))
        await asyncio.sleep(0.05)
    while len(ingress.epochs) < 2:
        await asyncio.sleep(0.01)
    assert draining.poll() is None
    lives.clear()
    client.finish(a, SessionEnd(FinishReason.STOP, 0.4, 10))
    assert await asyncio.to_thread(draining.wait, 60) == 0
    ray.kill(ledger)
