#!/usr/bin/env bash
# Library:   ray 2.60.0, Python 3.11, Linux. No part of this project is used.
#
# Behaviour: A consumer cancels the streaming generator of an actor (`ray.cancel`) at about the
#            moment in which the stream ends. Now and then the actor's process keeps one reference,
#            which `ray memory` shows as `<temporary (DynamicObjectRefGenerator)>`. Garbage
#            collection in every process does not release the reference. A stream that is cancelled
#            after it was read to its end leaves no reference.
#
# Expected:  No reference is kept for a stream that has ended.
#
# Affected:  Long-lived actors that stream to consumers which may leave early. One reference is
#            small, but their number only grows while the actor lives.
#
# Seen:      2026-11-29, two cores, three runs:
#   ray 2.60.0, references that the producer keeps: 0 of 1000 streams that were read to their ends, 20 of 1000 that were cancelled
#   ray 2.60.0, references that the producer keeps: 0 of 1000 streams that were read to their ends, 10 of 1000 that were cancelled
#   ray 2.60.0, references that the producer keeps: 0 of 1000 streams that were read to their ends, 17 of 1000 that were cancelled
#
# Exits with 0 where Ray behaves like this, with 1 where the behaviour has changed. Takes 90 s.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    ray==2.60.0 grpcio==1.85.1

cat >"$folder/streams.py" <<'PYTHON'
import asyncio
import gc
import os
import random
import sys

import ray
from ray._private.internal_api import global_gc, memory_summary

NUM_STREAMS = 1000
NUM_ITEMS = 3
PAUSE_S = 0.002  # between two items: a stream takes about 7 ms
CANCEL_AFTER_S = (0.005, 0.007)


@ray.remote
class Producer:
    async def items(self):
        for n in range(NUM_ITEMS):
            yield n
            await asyncio.sleep(PAUSE_S)

    async def process_id(self):
        return os.getpid()


async def read(stream):
    try:
        async for reference in stream:
            await reference
    finally:
        ray.cancel(stream)


async def read_for(producer, within_s):
    stream = producer.items.options(num_returns="streaming").remote()
    reading = asyncio.ensure_future(read(stream))
    await asyncio.wait({reading}, timeout=within_s)
    reading.cancel()
    await asyncio.wait({reading})


async def num_kept(address, process_id):
    """References of generators in the producer's process, after garbage collection everywhere."""
    gc.collect()
    global_gc()
    await asyncio.sleep(5)
    lines = memory_summary(address, line_wrap=False).splitlines()
    generators = [line for line in lines if "DynamicObjectRefGenerator" in line]
    return sum(line.split("|")[1].strip() == str(process_id) for line in generators)


async def main():
    context = ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    producer = Producer.remote()
    place = context.address_info["address"], await producer.process_id.remote()
    for _ in range(NUM_STREAMS):
        await read_for(producer, None)
    num_after_reading = await num_kept(*place)
    for _ in range(NUM_STREAMS):
        await read_for(producer, random.uniform(*CANCEL_AFTER_S))
    num_after_cancelling = await num_kept(*place)
    sys.stdout.write(
        f"ray {ray.__version__}, references that the producer keeps: {num_after_reading} of "
        f"{NUM_STREAMS} streams that were read to their ends, "
        f"{num_after_cancelling - num_after_reading} of {NUM_STREAMS} that were cancelled\n"
    )
    return 0 if num_after_cancelling > num_after_reading == 0 else 1


sys.exit(asyncio.run(main()))
PYTHON
RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" "$folder/streams.py"
