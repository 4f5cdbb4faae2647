from app.core import FinishReason, SessionKey, StageStats
from app.sessions.lost_groups import LOST_AFTER_S, LostGroups
from app.sessions.registry import Registry
from app.sessions.replica_table import Heartbeat
from app.sessions.table import ReplicaId

SOCKET, CONTEXT = SessionKey("default", "socket"), SessionKey("default", "socket-0")
LIVING, DEAD = ReplicaId("ingress", "living"), ReplicaId("ingress", "dead")


def test_a_group_is_lost_once_nobody_has_named_it_for_long(clock):
    groups = LostGroups(clock)
    assert groups.lost({SOCKET, CONTEXT}, {SOCKET}) == set()
    clock.now += LOST_AFTER_S
    assert groups.lost({SOCKET, CONTEXT}, {SOCKET}) == set()
    clock.now += 1
    assert groups.lost({SOCKET, CONTEXT}, {SOCKET}) == {CONTEXT}
    clock.now += LOST_AFTER_S
    assert groups.lost({SOCKET}, set()) == set()
    clock.now += 1
    assert groups.lost({SOCKET}, set()) == {SOCKET}


async def test_a_group_of_a_dead_ingress_ends_and_is_forgotten(clock):
    registry = Registry(now=clock, remember_s=20.0)
    await registry.claim_group(SOCKET)
    await registry.claim_group(CONTEXT)
    await registry.heartbeat(DEAD, Heartbeat(StageStats(), sessions=frozenset({CONTEXT})))
    for _ in range(int(LOST_AFTER_S) + 12):  # a heartbeat counts for some seconds
        clock.now += 1.0
        await registry.heartbeat(LIVING, Heartbeat(StageStats(), sessions=frozenset({SOCKET})))
    report = await registry.session(CONTEXT)
    assert report is not None
    assert (report.finish, report.cause) == (FinishReason.ERROR, "replica_lost")
    open_one = await registry.session(SOCKET)
    assert open_one is not None
    assert open_one.finish is None
    clock.now += 21.0
    assert await registry.session(CONTEXT) is None
    assert (await registry.inventory()).num_remembered == 1
