"""The registry as a real actor: followers hear of cancels, and its death costs nobody a stream."""

import asyncio
import uuid
from collections.abc import Collection

import pytest
import ray
from ray.exceptions import RayActorError

import deployments.registry
from app.config import Limits, ServeArgs
from app.core import CancelState, FinishReason, HealthStatus, SessionKey, StageStats
from app.errors import Unavailable
from app.sessions.replica_table import Heartbeat
from app.sessions.table import Claim, Confirmation, ReplicaId, SessionEnd
from deployments.drain import drain
from deployments.follower import RegistryFollower
from deployments.registry import RemoteRegistry, every_registry, registry_actors, shard_of
from deployments.usage import usage_actor

LIMITS = Limits(remember_s=60)

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
            ReplicaId(stage, uuid.uuid4().hex),
            self.stop,
            heartbeat=self.heartbeat,
            on_epoch=self.on_epoch,
        )
        self.follower.start()

    def heartbeat(self) -> Heartbeat:
        return Heartbeat(StageStats(1, 2, 3, 6))

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

    follower = ReplicaId("t3", uuid.uuid4().hex)
    RegistryFollower(actors, follower, stop, heartbeat=lambda: Heartbeat(StageStats())).start()
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


async def test_an_update_keeps_the_registry_and_tells_it_the_new_limits(actor):
    before, after = (RemoteRegistry((actor,), Limits(remember_s=s)) for s in (60, 1e-6))
    a = key()
    await before.claim(a)
    before.finish(a, SessionEnd(FinishReason.STOP, 0.4, 10))
    for client in (after, before):  # who began later counts, whoever comes last
        await client.restore(0, [])
    assert await before.claim(a) is Claim.GRANTED  # the old limits have it taken for a minute


async def test_a_follower_tells_again_what_could_not_be_told(actor):
    told = asyncio.Event()

    class Away(RemoteRegistry):
        async def restore(self, shard, live):
            if len(replica.epochs) == 1:
                raise RayActorError
            await super().restore(shard, live)
            told.set()

    a = key()
    client = Away((actor,), LIMITS)
    replica = Replica(actor, "ingress", client, lives=[a])
    async with asyncio.timeout(60):
        await told.wait()
    assert await client.claim(a) is Claim.DUPLICATE


async def test_a_drain_waits_for_who_lives_and_outlives_the_registry(actor):
    client = RemoteRegistry((actor,), LIMITS)
    a = key()
    ingress = Replica(actor, "ingress", client, lives=(lives := [a]))
    assert await client.claim(a) is Claim.GRANTED
    draining = asyncio.ensure_future(asyncio.to_thread(drain, [actor], 60.0))
    while await client.claim(a) is not Claim.DRAINING:
        await asyncio.sleep(0.05)
    ray.kill(actor, no_restart=False)
    while len(ingress.epochs) < 2:
        await asyncio.sleep(0.01)
    while await client.claim(a) is not Claim.DRAINING:  # the new one knows it, too
        await asyncio.sleep(0.05)
    assert not draining.done()
    lives.clear()
    client.finish(a, SessionEnd(FinishReason.STOP, 0.4, 10))
    assert await draining


async def test_registries_are_found_among_all_that_is_named_here(actor):
    app_name = f"test-{uuid.uuid4().hex}"
    ledger = usage_actor(app_name)  # knows of no drain
    (registry,) = registry_actors(app_name, ServeArgs())
    found = [name for name in every_registry() if name.startswith(app_name)]
    assert found == [f"{app_name}-registry-0"]
    for one in (ledger, registry):
        ray.kill(one)
