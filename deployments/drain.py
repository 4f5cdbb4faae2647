"""Before a server stops: no session begins any more, and those that live go on to their ends.

A program of its own, so that whoever stops a server need not join its cluster:
`python -m deployments.drain ADDRESS SECONDS`.
"""

import sys
import time

import ray
from ray.util import list_named_actors

from deployments.registry import NAMESPACE

LOOK_AGAIN_S = 0.2
LAST_BYTES_S = 0.5  # a session has ended a moment before the last bytes of its answer


def drain(address: str, within_s: float) -> int:
    """Returns how many sessions still lived when the time was over."""
    ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
    names = [
        n["name"] for n in list_named_actors(all_namespaces=True) if n["namespace"] == NAMESPACE
    ]
    registries = [ray.get_actor(name) for name in names]
    give_up_s = time.monotonic() + within_s
    while True:
        num_live: int = sum(ray.get([registry.drain.remote() for registry in registries]))
        if num_live == 0 or time.monotonic() > give_up_s:
            time.sleep(LAST_BYTES_S)
            return num_live
        time.sleep(LOOK_AGAIN_S)


if __name__ == "__main__":
    sys.exit(min(drain(sys.argv[1], float(sys.argv[2])), 100))
