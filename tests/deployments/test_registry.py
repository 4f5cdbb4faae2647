"""The registry as a real actor: replicas hear of cancels, and its death ends no session."""

import asyncio
import uuid
from collections.abc import Collection
from types import SimpleNamespace

import pytest
import ray
from ray.exceptions import RayActorError

import deployments.registry
from app.config import Limits, ServeArgs
from app.core import CancelState, FinishReason, Health, HealthStatus, SessionKey, StageStats
from app.errors import Unavailable
from app.sessions.cancel_log import CancelBatch
from app.sessions.replica_table import Heartbeat
from app.sessions.table import Claim, Confirmation, ReplicaId, SessionEnd
from deployments.drain import drain
from deployments.follower import RegistryFollower
from deployments.registry import RemoteRegistry, every_registry, registry_actors, shard_of
from deployments.usage import usage_actor
from tests.support.eventually import eventually

LIMITS = Limits(remember_s=60)
WITHIN_S = 60  # of any wait here: a restart takes seconds on a busy machine

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture
def actor():
    (actor,) = registry_actors(f"test-{uuid.uuid4().hex}", ServeArgs())
    ray.get(actor.health.remote(()))  # it has started
    yield actor
    ray.kill(actor)


class Replica:
    """Follows the registry and notes what it was told to stop."""

    def __init__(
        self,
        actors,
        stage: str,
        client: RemoteRegistry | None = None,
        lives: Collection[SessionKey] = (),
    ) -> None:
        self.client = client
        self.lives = lives
        self._stopped: asyncio.Queue[SessionKey] = asyncio.Queue()
        self.may_stop = asyncio.Event()
        self.may_stop.set()
        self.epochs: list[int] = []
        self.num_restored = 0
        self.follower = RegistryFollower(
            actors,
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
            self.num_restored += 1

    async def stop(self, key: SessionKey) -> Confirmation:
        self._stopped.put_nowait(key)
        await self.may_stop.wait()
        return Confirmation(40)

    async def stopped(self) -> SessionKey:
        """The next session that it was told to stop."""
        async with asyncio.timeout(WITHIN_S):
            return await self._stopped.get()

    async def until_epochs(self, num: int) -> None:
        what = f"the replica has heard of {num} epochs"
        await eventually(lambda: len(self.epochs) >= num, WITHIN_S, what)


def key() -> SessionKey:
    return SessionKey("default", uuid.uuid4().hex)


async def test_every_replica_hears_of_a_cancel(actor):
    replicas = [Replica((actor,), stage) for stage in ("t3", "t3", "vocoder", "ingress")]
    a = key()
    await RemoteRegistry((actor,), LIMITS).cancel(a)
    assert [await replica.stopped() for replica in replicas] == [a] * 4


async def test_a_replica_stops_a_session_before_it_asks_for_the_next_cancels():
    order: list[str] = []
    has_asked_again = asyncio.Event()

    async def poll(replica: ReplicaId, epoch: str, cursor: int) -> CancelBatch:
        order.append("ask")
        if cursor:
            has_asked_again.set()
            await asyncio.Event().wait()
        return CancelBatch("epoch", 1, (SessionKey("default", "a"),))

    async def heartbeat(replica: ReplicaId, heartbeat: Heartbeat) -> frozenset[SessionKey]:
        return frozenset()

    async def stop(key: SessionKey) -> None:
        order.append("stop")

    methods = {"poll": poll, "heartbeat": heartbeat}
    actor = SimpleNamespace(**{name: SimpleNamespace(remote=m) for name, m in methods.items()})
    replica = ReplicaId("t3", "1")
    RegistryFollower((actor,), replica, stop, heartbeat=lambda: Heartbeat(StageStats())).start()
    async with asyncio.timeout(WITHIN_S):
        await has_asked_again.wait()
    assert order == ["ask", "stop", "ask"]


async def test_a_cancel_of_a_finished_session_is_already_done(actor):
    client = RemoteRegistry((actor,), LIMITS)
    a = key()
    assert await client.claim(a) is Claim.GRANTED
    client.finish(a, SessionEnd(FinishReason.STOP, 0.4, 10))
    assert await client.claim(a) is Claim.DUPLICATE  # a round trip: the finish has arrived
    ack = await client.cancel(a)
    assert (ack.state, ack.audio_sent_ms) == (CancelState.ALREADY_DONE, 400.0)


async def test_a_cancel_waits_for_the_confirmation_of_t3(actor):
    client = RemoteRegistry((actor,), LIMITS)
    a, warm_up = key(), key()
    await client.claim(a)
    replica = Replica((actor,), "t3")
    await client.cancel(warm_up)
    await replica.stopped()
    replica.may_stop.clear()
    cancelling = asyncio.ensure_future(actor.cancel.remote(a, None, 60.0))
    assert await replica.stopped() == a
    client.finish(a, SessionEnd(FinishReason.CANCELLED, 0.2, 5))
    assert await client.claim(a) is Claim.DUPLICATE  # a round trip: the finish has arrived
    assert not cancelling.done()
    replica.may_stop.set()
    ack = await cancelling
    assert (ack.state, ack.tokens_generated, ack.tokens_discarded) == (CancelState.STOPPED, 40, 35)


async def test_a_consumer_that_leaves_a_cancelled_session_stops_it_no_second_time(actor):
    cancelled, left = key(), key()
    replica = Replica((actor,), "t3")
    replica.may_stop.clear()
    await RemoteRegistry((actor,), LIMITS).cancel(cancelled)
    assert await replica.stopped() == cancelled
    replica.follower.left(cancelled)
    replica.follower.left(left)
    assert await replica.stopped() == left
    replica.may_stop.set()


async def test_replicas_hear_cancels_of_a_restarted_registry(actor, monkeypatch):
    monkeypatch.setattr(deployments.registry, "RETRY_FOR_S", 60)  # the machine may be busy
    replica = Replica((actor,), "vocoder")
    client = RemoteRegistry((actor,), LIMITS)
    await client.cancel(key())
    await replica.stopped()
    ray.kill(actor, no_restart=False)
    await replica.until_epochs(2)  # until then the dying registry may take a cancel with it
    a = key()
    ack = await client.cancel(a)
    assert ack.state is CancelState.UNKNOWN
    assert await replica.stopped() == a


async def test_a_dead_registry_grants_claims_and_refuses_cancels(actor):
    client = RemoteRegistry((actor,), LIMITS)
    ray.kill(actor)

    async def is_dead() -> bool:
        try:
            await actor.health.remote(())
        except RayActorError:
            return True
        return False

    await eventually(is_dead, WITHIN_S, "the actor's death is known in this process")
    assert await client.claim(key()) is Claim.GRANTED
    with pytest.raises(Unavailable):
        await client.cancel(key())
    with pytest.raises(Unavailable):
        await client.health()


async def test_health_sums_the_replicas_of_each_stage(actor):
    client = RemoteRegistry((actor,), LIMITS)
    replicas = [Replica((actor,), "t3"), Replica((actor,), "t3")]

    async def complete() -> Health | None:
        health = await client.health()
        return health if health.stages.get("t3", StageStats()).live == len(replicas) else None

    health = await eventually(complete, WITHIN_S, "both replicas have told a heartbeat")
    assert health.status is HealthStatus.STARTING  # no vocoder yet
    assert health.stages["t3"] == StageStats(2, 4, 6, 12)


async def test_an_acknowledged_cancel_outlives_its_registry(actor, monkeypatch):
    monkeypatch.setattr(deployments.registry, "RETRY_FOR_S", 60)
    client = RemoteRegistry((actor,), LIMITS)
    ingress, t3 = Replica((actor,), "ingress", client), Replica((actor,), "t3")
    a = key()
    await client.cancel(a)
    for replica in (ingress, t3):
        assert await replica.stopped() == a
    ray.kill(actor, no_restart=False)
    assert await t3.stopped() == a  # told again by the ingress
    assert ingress.epochs == [0, 0]
    assert await client.claim(a) is Claim.CANCELLED


async def test_each_shard_cancels_its_own_sessions(cluster):
    actors = registry_actors(f"test-{uuid.uuid4().hex}", ServeArgs(registry_shards=3))
    client = RemoteRegistry(actors, LIMITS)
    replica = Replica(actors, "t3")
    keys: list[SessionKey] = []
    while len({shard_of(k, actors) for k in keys}) < len(actors):
        keys.append(key())
    for k in keys:
        assert await client.claim(k) is Claim.GRANTED
        await client.cancel(k)
    assert {await replica.stopped() for _ in keys} == set(keys)

    async def confirmed() -> bool:
        return (await client.session(keys[-1])).tokens_generated == 40

    await eventually(confirmed, WITHIN_S, "the replica's confirmation has arrived")
    for actor in actors:
        ray.kill(actor)


async def test_an_update_tells_the_registry_the_new_limits(actor):
    before, after = (RemoteRegistry((actor,), Limits(remember_s=s)) for s in (60, 1e-6))
    a = key()
    await before.claim(a)
    before.finish(a, SessionEnd(FinishReason.STOP, 0.4, 10))
    for client in (after, before):  # the limits of the ingress that began last count
        await client.restore(0, [])
    assert await before.claim(a) is Claim.GRANTED  # by the old limits the id is taken for a minute


async def test_a_failed_restore_is_repeated(actor):
    told = asyncio.Event()

    class Away(RemoteRegistry):
        async def restore(self, shard, live):
            if len(replica.epochs) == 1:
                raise RayActorError
            await super().restore(shard, live)
            told.set()

    a = key()
    client = Away((actor,), LIMITS)
    replica = Replica((actor,), "ingress", client, lives=[a])
    async with asyncio.timeout(WITHIN_S):
        await told.wait()
    assert await client.claim(a) is Claim.DUPLICATE


async def test_a_drain_waits_for_live_sessions_and_outlives_the_registry(actor):
    client = RemoteRegistry((actor,), LIMITS)
    a = key()
    ingress = Replica((actor,), "ingress", client, lives=(lives := [a]))
    assert await client.claim(a) is Claim.GRANTED
    what = "the ingress has told what it knows"
    await eventually(lambda: ingress.num_restored == 1, WITHIN_S, what)
    draining = asyncio.ensure_future(asyncio.to_thread(drain, [actor], 60.0))

    async def drains() -> bool:
        return await client.claim(a) is Claim.DRAINING

    await eventually(drains, WITHIN_S, "the registry drains")
    ray.kill(actor, no_restart=False)
    await ingress.until_epochs(2)
    await eventually(drains, WITHIN_S, "the new registry drains too")
    assert not draining.done()
    lives.clear()
    client.finish(a, SessionEnd(FinishReason.STOP, 0.4, 10))
    assert await draining


async def test_registries_are_found_among_the_named_actors(actor):
    app_name = f"test-{uuid.uuid4().hex}"
    usage = usage_actor(app_name)  # it has no drain
    (registry,) = registry_actors(app_name, ServeArgs())
    found = [name for name in every_registry() if name.startswith(app_name)]
    assert found == [f"{app_name}-registry-0"]
    for one in (usage, registry):
        ray.kill(one)
