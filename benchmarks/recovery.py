"""Measures how long the server needs to speak again after a SIGKILL of each kind of process.

    python benchmarks/recovery.py --rounds 3

Starts a server of its own on a free port. Kills the T3 replica, the vocoder replica, the ingress
replica and the registry, one after another, and sends requests until one is answered in full.
Prints medians in seconds. The floor: a replica's import of torch and upstream's package, which
takes most of the time. The last line is one JSON object.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from deployments.process_titles import REGISTRY, replica_of, titled
from deployments.server import ServerProcess, running

ROOT = Path(__file__).parents[1]
VICTIMS = {
    "t3": replica_of("chatterbox", "T3"),
    "vocoder": replica_of("chatterbox", "Vocoder"),
    "ingress": replica_of("chatterbox", "Ingress"),
    "registry": REGISTRY,
}
GIVE_UP_S = 180.0


def recovery_s(server: ServerProcess, titles: tuple[str, ...]) -> float:
    """The time from the kill to the end of the first full answer."""
    victims = titled(server.processes(), titles)
    if not victims:
        raise RuntimeError(f"no process is called {titles[0]}")
    for victim in victims:
        victim.kill()
    killed_s = time.monotonic()
    psutil.wait_procs(victims, timeout=10)
    while time.monotonic() < killed_s + GIVE_UP_S:
        if speaks(server.url) and titled(server.processes(), titles):
            return time.monotonic() - killed_s
        time.sleep(0.2)
    raise RuntimeError(f"{titles[0]} did not recover within {GIVE_UP_S:.0f} s")


def speaks(url: str) -> bool:
    body = {"model": "embedded", "voice": "ada", "input": "Hello there.", "stream": False}
    try:
        answer = httpx.post(f"{url}/v1/audio/speech", json=body, timeout=60)
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK


def wait_until_healthy(url: str) -> None:
    while httpx.get(f"{url}/health", timeout=10).status_code != httpx.codes.OK:
        time.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    times: dict[str, list[float]] = {name: [] for name in VICTIMS}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(ROOT / "serve_config.yaml", Path(folder) / "serve.log") as server,
    ):
        for _ in range(args.rounds):
            for name, title in VICTIMS.items():
                wait_until_healthy(server.url)
                times[name].append(recovery_s(server, title))
                sys.stdout.write(f"{name:<10} {times[name][-1]:.1f} s\n")
    medians = {name: round(median(one), 1) for name, one in times.items()}
    worst = {name: round(max(one), 1) for name, one in times.items()}
    report = {"benchmark": "recovery", "rounds": args.rounds, "median_s": medians, "worst_s": worst}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
