"""Counts what a server holds: remembered ids, logged cancels, asyncio tasks, Ray objects.

A program of its own, so that the process that watches a server need not join its cluster:
`python -m loadtests.inventory ADDRESS` writes one JSON object of counts by name.
"""

import json
import re
import sys
import time

import ray
from ray._private.internal_api import global_gc, memory_summary  # the source of `ray memory`

from app.sessions.inventory import Inventory
from deployments.named_actors import NAMESPACE
from deployments.registry import every_registry

COLLECTED_WITHIN_S = 5.0  # raylets pass the request on with their next heartbeat
OBJECT_ID = re.compile(r"\b[0-9a-f]{56}\b")


def inventory(address: str) -> dict[str, int]:
    ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
    held: dict[str, int] = {}
    for name, registry in every_registry().items():
        counts: Inventory = ray.get(registry.inventory.remote())
        held |= {
            f"{name}: ids": counts.num_remembered,
            f"{name}: cancels": counts.num_logged,
            f"{name}: followers": counts.num_followers,
            f"{name}: asyncio tasks": counts.num_tasks,
        }
        for follower, report in counts.replicas.items():
            held[f"{follower.stage} {follower.replica}: asyncio tasks"] = report.num_tasks
    global_gc()  # frees the last references of cancelled streams, in cycles of tracebacks
    time.sleep(COLLECTED_WITHIN_S)
    held["Ray objects"] = len(OBJECT_ID.findall(memory_summary(address, line_wrap=False)))
    return held


if __name__ == "__main__":
    sys.stdout.write(json.dumps(inventory(sys.argv[1])) + "\n")
