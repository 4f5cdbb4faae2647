"""Measures what a cancel costs a running server: the CPU time and the wake-ups of each process.

    python benchmarks/cancel_cost.py --url http://127.0.0.1:8000 --n 100

The cancels are of unknown ids, one after another: no session is stopped, and every message between
the processes is sent. Beside them stands a `GET` of the models, which an ingress answers alone. A
wake-up is a time slice of a thread, as Linux counts them. Programs beside the server change the
waits most and the CPU time least; threads that wait for a core together wake less often. What the
server does by itself is measured first and taken off. The floor is a call of an empty program
through the same proxy (benchmarks/proxy.py). Server and client must run on one machine. The last
line is one JSON object.
"""

import argparse
import json
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout


from app.client.speech_client import key_headers
from benchmarks.measure import quantile, say

WARM_UP = 10  # calls
IDLE_S = 3.0
PAUSE_S = 0.02  # between two calls: the work that follows an answer is done
LEAST_WAKE_UPS = 1.0  # per call; a process with fewer takes no part


class Work(NamedTuple):
    """Of one process, or of all threads of it that have a part in a call."""

    cpu_ms: float = 0.0
    wake_ups: float = 0.0

    def plus(self, other: "Work", times: float = 1.0) -> "Work":
        return Work(self.cpu_ms + other.cpu_ms * times, self.wake_ups + other.wake_ups * times)


def work_of(processes: list[psutil.Process]) -> dict[str, Work]:
    """By name, since the processes began."""
    found = defaultdict[str, Work](Work)
    for process in processes:
        try:
            name = name_of(" ".join(process.cmdline()))
            for task in Path(f"/proc/{process.pid}/task").iterdir():
                cpu_ns, _, num_slices = (task / "schedstat").read_text().split()
                found[name] = found[name].plus(Work(int(cpu_ns) / 1e6, int(num_slices)))
        except (psutil.Error, FileNotFoundError, ProcessLookupError):  # it has ended
            continue
    return found


def name_of(command: str) -> str:
    """`ray::ServeReplica:chatterbox:T3.tokens` is T3: Ray puts a running method into the title."""
    if not command.startswith("ray::"):
        return "other"
    return command.removeprefix("ray::").split()[0].split(".")[0].split(":")[-1]


def per_call(
    before: Mapping[str, Work], after: Mapping[str, Work], idle: Mapping[str, Work], num: int
) -> dict[str, Work]:
    """The work of one of `num` calls. `idle`: what is done meanwhile without calls."""
    found = {}
    for name, work in after.items():
        done = work.plus(before.get(name, Work()), -1).plus(idle.get(name, Work()), -1)
        found[name] = Work(round(done.cpu_ms / num, 2), round(done.wake_ups / num, 1))
    return {name: work for name, work in found.items() if work.wake_ups >= LEAST_WAKE_UPS}


def server_processes(port: int) -> list[psutil.Process]:
    """All processes below the raylet whose server listens on the port. Raises RuntimeError."""
    for connection in psutil.net_connections("tcp"):
        address, is_open = connection.laddr, connection.status == psutil.CONN_LISTEN
        if is_open and connection.pid and address and address.port == port:
            for parent in psutil.Process(connection.pid).parents():
                if parent.name() == "raylet":
                    return parent.children(recursive=True)
    raise RuntimeError(f"no server of this machine listens on port {port}")


def measure(
    call: Callable[[], object], processes: list[psutil.Process], num: int
) -> dict[str, object]:
    for _ in range(WARM_UP):
        call()
    at_first = work_of(processes)
    time.sleep(IDLE_S)
    before, began_s, waits_ms = work_of(processes), time.monotonic(), []
    for _ in range(num):
        sent_s = time.monotonic()
        call()
        waits_ms.append((time.monotonic() - sent_s) * 1000)
        time.sleep(PAUSE_S)
    share = (time.monotonic() - began_s) / IDLE_S
    after = work_of(processes)
    idle = {
        name: Work().plus(work, share).plus(at_first.get(name, Work()), -share)
        for name, work in before.items()
    }
    works = per_call(before, after, idle, num)
    return {
        "ms": {"p50": quantile(waits_ms, 0.5), "p95": quantile(waits_ms, 0.95)},
        "cpu_ms": round(sum(work.cpu_ms for work in works.values()), 2),
        "wake_ups": round(sum(work.wake_ups for work in works.values())),
        "of": {name: work._asdict() for name, work in sorted(works.items())},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--n", type=int, default=100)
    args = parser.parse_args()
    with httpx.Client(base_url=args.url, timeout=60, headers=key_headers()) as client:
        processes = server_processes(client.base_url.port or 80)
        row = {
            "get": measure(lambda: client.get("/v1/models"), processes, args.n),
            "cancel": measure(
                lambda: client.post(f"/cancel/{uuid.uuid4().hex}"), processes, args.n
            ),
        }
    say(json.dumps({"benchmark": "cancel_cost"} | row))


if __name__ == "__main__":
    main()
