from app.core import FinishReason, SessionKey, StageStats
from app.sessions.lost_sessions import LOST_AFTER_S, LostSessions
from app.sessions.registry import Registry
from app.sessions.replica_table import Heartbeat
from app.sessions.table import Claim, ReplicaId

SOCKET, CONTEXT = SessionKey("default", "socket"), SessionKey("default", "socket-0")
SPEECH = SessionKey("default", "speech")
LIVING, DEAD = ReplicaId("ingress", "living"), ReplicaId("ingress", "dead")


def test_an_id_is_lost_once_nobody_has_named_it_for_long(clock):
    sessions = LostSessions(clock)
    assert sessions.lost({SOCKET, CONTEXT}, {SOCKET}) == set()
    clock.now += LOST_AFTER_S
    assert sessions.lost({SOCKET, CONTEXT}, {SOCKET}) == set()
    clock.now += 1
    assert sessions.lost({SOCKET, CONTEXT}, {SOCKET}) == {CONTEXT}
    clock.now += LOST_AFTER_S
    assert sessions.lost({SOCKET}, set()) == set()
    clock.now += 1
    assert sessions.lost({SOCKET}, set()) == {SOCKET}


async def test_what_a_dead_ingress_had_open_ends_and_is_forgotten(clock):
    registry = Registry(now=clock, remember_s=20.0)
    await registry.claim_group(SOCKET)
    await registry.claim_group(CONTEXT)
    assert await registry.claim(SPEECH) is Claim.GRANTED
    await registry.heartbeat(DEAD, Heartbeat(StageStats(), sessions=frozenset({CONTEXT, SPEECH})))
    for _ in range(int(LOST_AFTER_S) + 12):  # a heartbeat counts for some seconds
        clock.now += 1.0
        await registry.heartbeat(LIVING, Heartbeat(StageStats(), sessions=frozenset({SOCKET})))
    for key in (CONTEXT, SPEECH):
        report = await registry.session(key)
        assert report is not None
        assert (report.finish, report.cause) == (FinishReason.ERROR, "replica_lost")
    assert await registry.live(None) == ()
    open_one = await registry.session(SOCKET)
    assert open_one is not None
    assert open_one.finish is None
    clock.now += 21.0
    assert await registry.session(CONTEXT) is None
    assert (await registry.inventory()).num_remembered == 1
