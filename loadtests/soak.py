"""Searches for leaks with thousands of short sessions on a real server. Some are cancelled, some
refused.

    python loadtests/soak.py --minutes 75 --requests 10000

Starts a server of its own on a free port. Checks the growth of the resident memory of every process
of the cluster, Ray's own included, after garbage collection, over the second half of the requests.
Compares file descriptors, threads,
asyncio tasks, Ray objects and remembered ids before and after, when every id may be forgotten.
With `--leak` the server keeps 1 KiB per request: the soak must then fail. The last line is one JSON
object. Exits with 1 if a leak is found.
"""

import argparse
import asyncio
import contextlib
import json
import random
import re
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from deployments.server import ServerProcess, running

ROOT = Path(__file__).parents[1]
CANCELLED, IN_ERROR = 0.30, 0.05  # shares of the requests
NUM_CALLERS = 4
WARM_UP = 100  # requests before the first comparison, to fill the caches
SAMPLES = 25
SETTLED_AFTER = 1000  # requests, after which a process has filled its pools and caches
GROWTH_MB = 10.0  # over the second half
GROWTH_BYTES = 512.0  # per request, over the second half
SLACK = {"num_fds": 8, "num_threads": 4}  # for pools and short connections
# A raylet keeps a socket or two for each program that has left after it asked for a garbage
# collection (ray 2.60.0, 2026-11-30: 11 for 8 of them). Each sample is such a program.
RAYLET_FDS_PER_SAMPLE = 2
HELD_SLACK = 8  # for tasks of idle connections and references of running calls
SHORT_LIVED = ("ray::IDLE", "default_worker.py", "loadtests.inventory")
PYTHON_FLAGS = ("ignore",)  # words that follow an option
REMEMBER_S = 20.0
FORGOTTEN_AFTER = 1.5  # times REMEMBER_S
# One cell of audio:
BODY = {"voice": "ada", "response_format": "pcm", "stream": False, "seed": 1, "max_tokens": 8}


class Sample(NamedTuple):
    num_requests: int
    rss: Mapping[str, int]  # bytes, by process title


async def soak(server: ServerProcess, requests: int, minutes: float) -> Mapping[str, object]:
    """The leaks that were found, and the samples of memory."""
    limits = httpx.Limits(max_connections=NUM_CALLERS * 2)
    async with httpx.AsyncClient(base_url=server.url, timeout=120, limits=limits) as client:
        model = (await client.get("/v1/models")).json()["data"][0]["id"]
        rng = random.Random(1)
        await talk(client, model, rng, WARM_UP, float("inf"))
        before = await settled(server, client)
        samples = [await sample(server, 0)]
        num_done, give_up_s = 0, time.monotonic() + minutes * 60
        while num_done < requests and time.monotonic() < give_up_s:
            num_done += await talk(client, model, rng, requests // SAMPLES or 1, give_up_s)
            samples.append(await sample(server, num_done))
            sys.stderr.write(f"\r{num_done} requests")
        after = await settled(server, client)
    faults = [*growth(samples), *differences(before, after, len(samples))]
    resident = {
        t: [round(s.rss[t] / 2**20, 1) for s in samples if t in s.rss] for t in samples[-1].rss
    }
    return {
        "passed": not faults,
        "faults": faults,
        "num_requests": num_done,
        "num_requests_at": [s.num_requests for s in samples],
        "kb_per_request": settled_growth(samples),
        "resident_mb": resident,
        "held": {"before": before["held"], "after": after["held"]},
    }


async def talk(
    client: httpx.AsyncClient, model: str, rng: random.Random, num: int, give_up_s: float
) -> int:
    num_begun = 0

    async def one_after_another() -> None:
        nonlocal num_begun
        while num_begun < num and time.monotonic() < give_up_s:
            num_begun += 1
            await request(client, model, rng)

    await asyncio.gather(*(one_after_another() for _ in range(NUM_CALLERS)))
    return num_begun


async def request(client: httpx.AsyncClient, model: str, rng: random.Random) -> None:
    """Speaks, is cancelled, or is refused. Raises RuntimeError for any other status."""
    draw, session = rng.random(), uuid.uuid4().hex
    body = {**BODY, "model": model, "input": "Hello there."}
    if draw < IN_ERROR:
        body["voice"] = "nobody"
    headers = {"X-Request-ID": session}
    answering = asyncio.ensure_future(client.post("/v1/audio/speech", json=body, headers=headers))
    expected = 404 if draw < IN_ERROR else 200
    if IN_ERROR <= draw < IN_ERROR + CANCELLED:
        await asyncio.wait({answering}, timeout=rng.uniform(0, 0.5))
        answer = await client.post(f"/cancel/{session}")
        expected = 204 if answer.json()["state"] in ("stopped", "stopping", "unknown") else 200
    status = (await answering).status_code
    if status not in (expected, 200 if expected == 204 else expected):
        raise RuntimeError(f"status {status} instead of {expected}")


async def wait_until_idle(client: httpx.AsyncClient) -> None:
    while True:
        stages = (await client.get("/health")).json()["stages"].values()
        if all(stage["live"] == stage["waiting"] == 0 for stage in stages):
            return
        await asyncio.sleep(0.2)


async def settled(server: ServerProcess, client: httpx.AsyncClient) -> dict[str, dict[str, int]]:
    """All counts, when no session runs and every id has been forgotten."""
    await wait_until_idle(client)
    await asyncio.sleep(REMEMBER_S * FORGOTTEN_AFTER)
    return {**counts(server), "held": await held(server)}


async def held(server: ServerProcess) -> dict[str, int]:
    """The counts of loadtests.inventory, after a garbage collection in every process."""
    counts: dict[str, int] = json.loads(
        await asyncio.to_thread(server.run_inside, "loadtests.inventory")
    )
    return counts


def watched(server: ServerProcess) -> Iterator[tuple[str, psutil.Process]]:
    """Every process of the cluster that lives as long as the cluster, by title."""
    for process in server.processes():
        with contextlib.suppress(psutil.Error):  # the process has ended since
            title = title_of(process.cmdline())
            if title and title not in SHORT_LIVED:
                yield f"{title} {process.pid}", process


def title_of(command: Sequence[str]) -> str:
    """`ray::ServeReplica:app:T3`, `gcs_server`, `agent.py`: the name by which a process is known. A
    program of Python's is named by its file or module."""
    if not command:
        return ""
    if command[0].startswith("ray::"):  # padded, and with the replica's id or the running method
        return re.split(r"[#.\s]", command[0], maxsplit=1)[0]
    program = Path(command[0]).name
    if not program.startswith("python"):
        return program
    if "-c" in command:
        module = re.search(r"from ([\w.]+)", command[command.index("-c") + 1])
        return module[1] if module else program
    named = [word for word in command[1:] if not word.startswith("-") and word not in PYTHON_FLAGS]
    return Path(named[0]).name if named else program


async def sample(server: ServerProcess, num_requests: int) -> Sample:
    """Collects garbage first: an ingress gathers 17 MB of cycles before Python collects them."""
    await held(server)
    return Sample(num_requests, {t: p.memory_info().rss for t, p in watched(server)})


def counts(server: ServerProcess) -> dict[str, dict[str, int]]:
    return {
        title: {"num_fds": process.num_fds(), "num_threads": process.num_threads()}
        for title, process in watched(server)
    }


def growth(samples: Sequence[Sample]) -> Iterator[str]:
    """The processes that grew over the second half: too much in all, or too much per request."""
    half = samples[len(samples) // 2 :]
    for title in half[-1].rss:
        sizes = [s.rss[title] for s in half if title in s.rss]
        grown = (max(sizes) - min(sizes[: max(1, len(sizes) // 10)])) / 2**20
        per_request = steady_growth(half, title)
        line = f"{title}: {grown:+.1f} MB, {per_request:+.0f} bytes per request"
        sys.stdout.write(line + "\n")
        if grown > GROWTH_MB or (grown > 1 and per_request > GROWTH_BYTES):
            yield line


def settled_growth(samples: Sequence[Sample]) -> dict[str, float]:
    """KB per request of each process, after the first SETTLED_AFTER requests."""
    settled = [sample for sample in samples if sample.num_requests >= SETTLED_AFTER]
    if len(settled) < 2:
        return {}
    return {title: round(steady_growth(settled, title) / 1024, 2) for title in settled[-1].rss}


def steady_growth(samples: Sequence[Sample], title: str) -> float:
    """Bytes per request."""
    seen = [(sample.num_requests, sample.rss[title]) for sample in samples if title in sample.rss]
    at, sizes = [num for num, _ in seen], [size for _, size in seen]
    return min(slope(at, sizes), rise_of_floor(at, sizes))


def slope(at: Sequence[float], values: Sequence[float]) -> float:
    """The Theil-Sen slope: the median over all pairs, which a few jumps do not change."""
    pairs = [
        (values[j] - values[i]) / (at[j] - at[i])
        for i in range(len(at))
        for j in range(i + 1, len(at))
        if at[j] > at[i]
    ]
    return sorted(pairs)[len(pairs) // 2] if pairs else 0.0


def rise_of_floor(at: Sequence[float], values: Sequence[float]) -> float:
    """The slope between the minima of the two halves. An allocator that returns memory from time to
    time moves up and down by more than a leak adds."""
    middle = len(values) // 2
    if not middle or at[middle] == at[0]:
        return 0.0
    return (min(values[middle:]) - min(values[:middle])) / (at[middle] - at[0])


def differences(
    before: Mapping[str, Mapping[str, int]],
    after: Mapping[str, Mapping[str, int]],
    num_samples: int = 0,
) -> Iterator[str]:
    """What a process holds more than before, beyond what the `num_samples` between explain."""
    for title, counted in before.items():
        if title not in after:
            yield f"{title}: died"
            continue
        for name, num in counted.items():
            slack = SLACK.get(name, HELD_SLACK)
            if title.startswith("raylet ") and name == "num_fds":
                slack += RAYLET_FDS_PER_SAMPLE * num_samples
            if after[title].get(name, 0) > num + slack:
                yield f"{title}: {name} {num} -> {after[title][name]}"


def config(folder: Path, leak: bool) -> Path:
    """serve_config.yaml with ids that are forgotten soon, so that the soak includes forgetting, and
    one step of the flow, because the soak is about requests."""
    content = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    application = content["applications"][0]
    application["args"]["limits"] = {"remember_s": REMEMBER_S}
    application["args"]["vocoder"]["euler_steps"] = 1
    if leak:
        application["import_path"] = "loadtests.leaky:build"
    path = folder / "soak.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=75.0, help="the most minutes")
    parser.add_argument("--requests", type=int, default=10_000, help="the most requests")
    parser.add_argument(
        "--leak", action="store_true", help="start a leaky server: the soak must fail"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with running(config(path, args.leak), path / "serve.log") as server:
            report = asyncio.run(soak(server, args.requests, args.minutes))
    sys.stdout.write(json.dumps({"benchmark": "soak", **report}) + "\n")
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
