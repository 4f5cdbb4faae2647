"""A node dies under load: its streams end with an explicit error, the others go on, and a new node
brings the lost slots back."""

import asyncio
from typing import Any

import httpx
import pytest
import ray

from app.sessions.inventory import Inventory
from deployments.named_actors import NAMESPACE
from tests.support.deployments import nodes
from tests.support.deployments.declarative_deploy import IMPORT_PATH, deployed, replicas
from tests.support.deployments.event_streams import Stream, opened, until_heard
from tests.support.deployments.served_app import SENTENCE, client_of
from tests.support.eventually import eventually

NAME = "two-nodes"
SLOTS = 8
SLOTS_WITHIN_S = 120
ONE_EACH = {"max_replicas_per_node": 1, "num_replicas": 2}
APPLICATION: dict[str, Any] = {
    "name": NAME,
    "route_prefix": f"/{NAME}",
    "import_path": IMPORT_PATH,
    "args": {
        "model": "embedded-turbo",
        "device": "cuda",
        "t3": {"slots": SLOTS},
        "t3_gpus": 0.5,
        "vocoder_gpus": 0.5,
    },
    "deployments": [
        {"name": "T3", **ONE_EACH},
        {"name": "Vocoder", **ONE_EACH},
        {"name": "Ingress", "ray_actor_options": {"num_cpus": 0.1, "resources": {"edge": 0.01}}},
    ],
}
BODY = {"model": "embedded-turbo", "input": SENTENCE * 4, "voice": "ada"}


def inventory() -> Inventory:
    registry = ray.get_actor(f"{NAME}-registry-0", namespace=NAMESPACE)
    told: Inventory = ray.get(registry.inventory.remote())
    return told


def sessions_on(node_id: str) -> set[str]:
    """The sessions that an engine on this node works on now."""
    there = {
        replica["replica_id"]
        for deployment in ("T3", "Vocoder")
        for replica in replicas(NAME, deployment)
        if replica["node_id"] == node_id
    }
    told = inventory().replicas.items()
    working = (heartbeat.sessions for replica, heartbeat in told if replica.replica in there)
    return {key.session_id for sessions in working for key in sessions}


async def until_slots(client: httpx.AsyncClient, num: int) -> None:
    async def has_slots() -> bool:
        told = (await client.get("health")).json()
        return bool(told["stages"]["t3"]["slots_total"] == num)

    await eventually(has_slots, SLOTS_WITHIN_S, f"T3 has {num} slots", every_s=0.2)


async def until_on_both(client: httpx.AsyncClient, doomed: str) -> tuple[list[Stream], set[str]]:
    """Streams of which some, but not all, are on the node; and the ids of those on the node."""
    streams: list[Stream] = []

    async def on_both() -> tuple[list[Stream], set[str]] | None:
        streams.extend(opened(client, BODY) for _ in range(4))
        await until_heard(*streams)
        there = await asyncio.to_thread(sessions_on, doomed)
        live = {stream.session_id for stream in streams if not stream.task.done()}
        return (streams, there) if there & live and live - there else None

    return await eventually(on_both, SLOTS_WITHIN_S, "some streams are on the node, some are not")


@pytest.mark.long
@pytest.mark.timeout(500)
async def test_a_dead_node_ends_its_own_streams_alone_and_is_replaced(served):
    with nodes.added(2) as (doomed, _), deployed([APPLICATION]):
        async with client_of(f"{served.url}/{NAME}", timeout_s=200) as client:
            await until_slots(client, 2 * SLOTS)
            streams, there = await until_on_both(client, doomed.node_id)
            before = {stream.session_id for stream in streams if stream.task.done()}
            doomed.kill()
            await asyncio.gather(*(stream.task for stream in streams))
            for stream in streams:
                if stream.session_id in before or stream.session_id not in there:
                    assert stream.ended_well, stream
                else:
                    assert stream.ended_well or stream.error is not None, stream
            assert any(stream.error for stream in streams), "no stream was lost with the node"
            with nodes.added(1):
                await until_slots(client, 2 * SLOTS)
                again = [opened(client, BODY) for _ in range(4)]
                await asyncio.gather(*(stream.task for stream in again))
                assert all(stream.ended_well for stream in again)
