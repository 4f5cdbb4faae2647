"""Measures how soon T3 replicas follow a step and a burst of callers, and counts failed streams.

    python benchmarks/scaling.py --max-replicas 2

Starts a server of its own on a free port, with the embedded model, few slots and autoscaling. Step:
callers repeat their requests until the replicas have started, then stop. Burst: twice as many
requests as all replicas have slots, sent once. The floor: the autoscaler's delays, plus a replica's
import of torch. Exits with 1 if a stream fails or the replicas do not follow. The last line is one
JSON object.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from deployments.server import running

ROOT = Path(__file__).parents[1]
SLOTS = 4
FOLLOWED_WITHIN_S = 240.0
TEXT = "It was a bright cold day in April, and the clocks were striking thirteen; she waited. "
BODY = {"model": "embedded", "voice": "ada", "response_format": "pcm", "input": TEXT * 3}


def config(folder: Path, max_replicas: int) -> Path:
    """serve_config.yaml with few T3 slots and the autoscaling policy of cluster.yaml."""
    content = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    cluster = yaml.safe_load((ROOT / "deploy/serve/cluster.yaml").read_text())
    (t3,) = (d for d in cluster["applications"][0]["deployments"] if d["name"] == "T3")
    scaling = t3["autoscaling_config"] | {"max_replicas": max_replicas, "downscale_delay_s": 5}
    application = content["applications"][0]
    del application["external_scaler_enabled"]  # Serve allows only one of the two
    application["args"] |= {"t3": {"slots": SLOTS}, "t3_cpus": 0.2, "vocoder_cpus": 0.2}
    application["deployments"] = [{"name": "T3", "autoscaling_config": scaling}]
    path = folder / "scaling.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


class Callers:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.num_streams = 0
        self.failures: list[str] = []

    async def speak(self) -> None:
        self.num_streams += 1
        try:
            answer = await self._client.post("/v1/audio/speech", json=BODY)
        except httpx.TransportError as error:
            self.failures.append(repr(error))
            return
        if answer.status_code != httpx.codes.OK or not answer.content:
            self.failures.append(f"{answer.status_code}: {answer.text[:200]}")

    async def speak_until(self, is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            await self.speak()

    async def num_replicas(self) -> int:
        health = (await self._client.get("/health")).json()
        return int(health["stages"]["t3"]["slots_total"]) // SLOTS


async def seconds_until(holds: Callable[[], Awaitable[bool]]) -> float | None:
    begun_s = time.monotonic()
    while not await holds():
        if time.monotonic() - begun_s > FOLLOWED_WITHIN_S:
            return None
        await asyncio.sleep(0.2)
    return round(time.monotonic() - begun_s, 1)


async def measure(url: str, max_replicas: int) -> dict[str, object]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=limits) as client:
        callers, row = Callers(client), {}

        async def grown() -> bool:
            return await callers.num_replicas() == max_replicas

        async def shrunk() -> bool:
            return await callers.num_replicas() == 1

        await callers.speak()  # warms up
        is_over = asyncio.Event()
        talking = [callers.speak_until(is_over) for _ in range(SLOTS * max_replicas)]
        step = asyncio.gather(*talking)
        row["step_up_s"] = await seconds_until(grown)
        is_over.set()
        await step
        row["step_down_s"] = await seconds_until(shrunk)
        burst = asyncio.gather(*(callers.speak() for _ in range(SLOTS * max_replicas * 2)))
        row["burst_up_s"] = await seconds_until(grown)
        await burst
        row["burst_down_s"] = await seconds_until(shrunk)
    return row | {"num_streams": callers.num_streams, "failures": callers.failures}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-replicas", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with running(config(path, args.max_replicas), path / "serve.log") as server:
            row = asyncio.run(measure(server.url, args.max_replicas))
    sys.stdout.write(json.dumps({"benchmark": "scaling", **row}) + "\n")
    return 1 if row["failures"] or None in row.values() else 0


if __name__ == "__main__":
    sys.exit(main())
