"""SIGKILL of each kind of process: how long until the server speaks again?

    python benchmarks/recovery.py --rounds 3

Starts a server of its own on a free port. Kills the T3, the vocoder and the ingress replica and the
registry, one after another, and asks until a whole text is spoken. Medians, in seconds. Most of a
replica's time is Python importing torch and upstream's package. Last line JSON.
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

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from anywhere

from deployments.server import ServerProcess, running

ROOT = Path(__file__).parents[1]
VICTIMS = {
    "t3": "ray::ServeReplica:chatterbox:T3",
    "vocoder": "ray::ServeReplica:chatterbox:Vocoder",
    "ingress": "ray::ServeReplica:chatterbox:Ingress",
    "registry": "ray::Registry",
}
GIVE_UP_S = 180.0


def processes(server: ServerProcess, title: str) -> list[psutil.Process]:
    return [p for p in server.processes() if " ".join(p.cmdline()).startswith(title)]


def recovery_s(server: ServerProcess, title: str) -> float:
    """From the kill to the end of the first text that was spoken after it."""
    victims = processes(server, title)
    if not victims:
        raise RuntimeError(f"no process is called {title}")
    for victim in victims:
        victim.kill()
    killed_s = time.monotonic()
    psutil.wait_procs(victims, timeout=10)
    while time.monotonic() < killed_s + GIVE_UP_S:
        if speaks(server.url) and processes(server, title):
            return time.monotonic() - killed_s
        time.sleep(0.2)
    raise RuntimeError(f"{title}: not back within {GIVE_UP_S:.0f} s")


def speaks(url: str) -> bool:
    body = {"model": "embedded", "voice": "ada", "input": "Hello there.", "stream": False}
    try:
        answer = httpx.post(f"{url}/v1/audio/speech", json=body, timeout=60)
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK


def until_healthy(url: str) -> None:
    while httpx.get(f"{url}/health", timeout=10).status_code != httpx.codes.OK:
        time.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    took: dict[str, list[float]] = {name: [] for name in VICTIMS}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(ROOT / "serve_config.yaml", Path(folder) / "serve.log") as server,
    ):
        for _ in range(args.rounds):
            for name, title in VICTIMS.items():
                until_healthy(server.url)
                took[name].append(recovery_s(server, title))
                sys.stdout.write(f"{name:<10} {took[name][-1]:.1f} s\n")
    medians = {name: round(median(times), 1) for name, times in took.items()}
    worst = {name: round(max(times), 1) for name, times in took.items()}
    report = {"benchmark": "recovery", "rounds": args.rounds, "median_s": medians, "worst_s": worst}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
