"""A node dies under load: its streams end with an explicit error, others do not notice, and what it
could do comes back with another."""

import asyncio
from typing import Any

import httpx
import pytest
import ray

from app.sessions.registry import Inventory
from deployments.registry import NAMESPACE
from tests.support.deployments import nodes
from tests.support.deployments.declared import IMPORT_PATH, deployed, replicas
from tests.support.deployments.listening import Stream, opened, until_heard

NAME = "two-nodes"
SLOTS = 8
LONG = "It was a bright cold day in April, and the clocks were striking thirteen; she waited. " * 4
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
BODY = {"model": "embedded-turbo", "input": LONG, "voice": "ada"}


def inventory() -> Inventory:
    registry = ray.get_actor(f"{NAME}-registry-0", namespace=NAMESPACE)
    told: Inventory = ray.get(registry.inventory.remote())
    return told


def sessions_on(node_id: str) -> set[str]:
    """That an engine there works on now."""
    there = {
        replica["replica_id"]
        for deployment in ("T3", "Vocoder")
        for replica in replicas(NAME, deployment)
        if replica["node_id"] == node_id
    }
    told = inventory().replicas.items()
    working = (report.sessions for follower, report in told if follower.replica in there)
    return {key.session_id for sessions in working for key in sessions}


async def until_slots(client: httpx.AsyncClient, num: int) -> None:
    async with asyncio.timeout(120):
        while (await client.get("health")).json()["stages"]["t3"]["slots_total"] != num:
            await asyncio.sleep(0.2)


async def until_on_both(client: httpx.AsyncClient, doomed: str) -> tuple[list[Stream], set[str]]:
    """Streams of which some, but not all, are on the node; and those that are."""
    streams: list[Stream] = []
    async with asyncio.timeout(120):
        while True:
            streams += [opened(client, BODY) for _ in range(4)]
            await until_heard(streams)
            there = await asyncio.to_thread(sessions_on, doomed)
            live = {stream.session_id for stream in streams if not stream.task.done()}
            if there & live and live - there:
                return streams, there


@pytest.mark.long
@pytest.mark.timeout(500)
async def test_a_dead_node_takes_its_streams_and_no_others_and_is_replaced(served):
    with nodes.added(2) as (doomed, _), deployed([APPLICATION]):
        url = f"{served.url}/{NAME}"
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, timeout=200, limits=limits) as client:
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
            assert any(stream.error for stream in streams), "nothing was lost with the node"
            with nodes.added(1):
                await until_slots(client, 2 * SLOTS)
                again = [opened(client, BODY) for _ in range(4)]
                await asyncio.gather(*(stream.task for stream in again))
                assert all(stream.ended_well for stream in again)
