"""What a server holds that no process list shows: ids, cancels, asyncio tasks, Ray objects.

A program of its own, so that whoever watches a server need not join its cluster:
`python -m loadtests.inventory ADDRESS` writes one JSON object: what is held, by name.
"""

import json
import re
import sys
import time

import ray
from ray._private.internal_api import global_gc, memory_summary  # what `ray memory` prints

from app.sessions.registry import Inventory
from deployments.named_actors import NAMESPACE
from deployments.registry import every_registry

COLLECTED_WITHIN_S = 5.0  # raylets pass the wish on with their next heartbeat
OBJECT_ID = re.compile(r"\b[0-9a-f]{56}\b")


def inventory(address: str) -> dict[str, int]:
    ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
    held: dict[str, int] = {}
    for name, registry in every_registry().items():
        told: Inventory = ray.get(registry.inventory.remote())
        held |= {
            f"{name}: ids": told.num_remembered,
            f"{name}: cancels": told.num_logged,
            f"{name}: followers": told.num_followers,
            f"{name}: asyncio tasks": told.num_tasks,
        }
        for follower, report in told.replicas.items():
            held[f"{follower.stage} {follower.replica}: asyncio tasks"] = report.num_tasks
    global_gc()  # a cancelled stream's last references lie in cycles of tracebacks until then
    time.sleep(COLLECTED_WITHIN_S)
    held["Ray objects"] = len(OBJECT_ID.findall(memory_summary(address, line_wrap=False)))
    return held


if __name__ == "__main__":
    sys.stdout.write(json.dumps(inventory(sys.argv[1])) + "\n")
