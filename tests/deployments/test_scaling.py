"""Replicas follow the slots that are taken, and no stream is cut on the way."""

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from app.core import StageStats
from deployments.scaling import ByLoad, load_of
from tests.support.deployments import nodes
from tests.support.deployments.declarative_deploy import IMPORT_PATH, deployed
from tests.support.deployments.event_streams import opened
from tests.support.deployments.served_app import SENTENCE, client_of
from tests.support.eventually import eventually

SCALED_WITHIN_S = 150


def context(*stats: StageStats, queued: float = 0.0) -> Any:
    told: dict[str, dict[str, float]] = {}
    for number, each in enumerate(stats):
        for name, value in load_of(each).items():
            told.setdefault(name, {})[f"replica-{number}"] = value
    return SimpleNamespace(
        aggregated_metrics=told,
        total_queued_requests=queued,
        current_num_replicas=len(stats),
        target_num_replicas=len(stats),
    )


def replica(taken: int, late_s: float = 0.0) -> StageStats:
    live = min(taken, 10)
    return StageStats(live, taken - live, 10 - live, 10, late_s)


@pytest.mark.parametrize(
    ("stats", "queued", "wanted"),
    [
        ((replica(0),), 0, 1),
        ((replica(5),), 0, 1),
        ((replica(6),), 0, 2),
        ((replica(25),), 0, 5),
        ((replica(5),), 6, 3),
        ((replica(2), replica(2)), 0, 1),
        ((replica(5), replica(5)), 0, 2),
    ],
)
def test_replicas_follow_the_share_of_taken_slots(stats, queued, wanted):
    assert ByLoad(target=0.5)(context(*stats, queued=queued))[0] == wanted


def test_late_audio_adds_a_replica():
    late = context(replica(1, late_s=0.3), replica(1))
    assert ByLoad(target=0.5, late_s=0.2)(late)[0] == 3
    assert ByLoad(target=0.5)(late)[0] == 1


def test_the_number_of_replicas_stays_where_none_has_told_its_load():
    silent = context()
    silent.target_num_replicas = 3
    assert ByLoad()(silent)[0] == 3


NAME = "scaled"
SLOTS = 4
APPLICATION: dict[str, Any] = {
    "name": NAME,
    "route_prefix": f"/{NAME}",
    "import_path": IMPORT_PATH,
    "args": {
        "model": "embedded-turbo",
        "device": "cuda",
        "t3": {"slots": SLOTS},
        "t3_gpus": 0.1,
        "vocoder_gpus": 0.1,
    },
    "deployments": [
        {
            "name": "T3",
            "autoscaling_config": {
                "max_replicas": 2,
                "upscale_delay_s": 0,
                "downscale_delay_s": 0,
                "look_back_period_s": 11,
                "aggregation_function": "max",
                "policy": {
                    "policy_function": "deployments.scaling:ByLoad",
                    "policy_kwargs": {"target": 0.7},
                },
            },
        },
    ],
}


async def until_replicas(client: httpx.AsyncClient, num: int) -> None:
    async def has_replicas() -> bool:
        told = (await client.get("health")).json()
        return bool(told["stages"]["t3"]["slots_total"] == num * SLOTS)

    await eventually(has_replicas, SCALED_WITHIN_S, f"T3 has {num} replicas", every_s=0.2)


@pytest.mark.long
@pytest.mark.timeout(500)
async def test_scaling_up_and_down_cuts_no_stream(served):
    body = {"model": "embedded-turbo", "input": SENTENCE * 4, "voice": "ada"}
    with nodes.added(1), deployed([APPLICATION]):
        async with client_of(f"{served.url}/{NAME}", timeout_s=200) as client:
            await until_replicas(client, 1)
            growing = asyncio.ensure_future(until_replicas(client, 2))
            streams = []
            while not growing.done():
                live = [stream for stream in streams if not stream.task.done()]
                streams += [opened(client, body) for _ in range(2 * SLOTS - len(live))]
                await asyncio.wait([growing, *(s.task for s in streams)], timeout=0.5)
            await growing
            shrinking = asyncio.ensure_future(until_replicas(client, 1))
            while not shrinking.done():  # one caller at a time needs one replica
                streams.append(opened(client, body))
                await streams[-1].task
            await shrinking
            await asyncio.gather(*(stream.task for stream in streams))
            assert [stream for stream in streams if not stream.ended_well] == []
