"""Measures the longest silence of listeners while `serve deploy` replaces every replica.

    python benchmarks/redeploy.py --num-streams 2 --seconds 60

Starts a server of its own on a free port. Listeners request one paced stream after another. The
first row is without a deploy. Before the second row a changed config is deployed, so a new T3, a
new vocoder and a new ingress start beside the old ones, which end their streams. The floor: no
silence. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import httpx
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from benchmarks.listeners import listen
from benchmarks.measure import say
from benchmarks.recovery import ROOT, wait_until_healthy
from benchmarks.speakers import ServedSpeaker
from deployments.server import ServerProcess, running
from loadtests.redeploying import changed, deploy, replicas


async def silences(server: ServerProcess, num_streams: int, until_s: float) -> dict[str, float]:
    """The longest silence after a first sound, and the longest wait for one."""
    async with httpx.AsyncClient(base_url=server.url, timeout=300) as client:
        speaker = await ServedSpeaker.of(client)
        heard = await asyncio.gather(*(listen(speaker, until_s) for _ in range(num_streams)))
    streams = [stream for listener in heard for stream in listener]
    return {
        "streams": len(streams),
        "longest_silence_s": round(max(stream.silence_s for stream in streams), 2),
        "longest_first_s": round(max(stream.first_s for stream in streams), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-streams", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each row")
    parser.add_argument("--config", type=Path, default=ROOT / "serve_config.yaml")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running(options.config, Path(folder) / "serve.log") as server,
    ):
        wait_until_healthy(server.url)
        new = Path(folder) / "changed.yaml"
        new.write_text(yaml.safe_dump(changed(yaml.safe_load(options.config.read_text()))))
        before = replicas(server)
        for deploys in (False, True):
            if deploys:
                deploy(server, new)
            until_s = time.monotonic() + options.seconds
            row = asyncio.run(silences(server, options.num_streams, until_s))
            rows.append({"deploys": deploys, "load": round(os.getloadavg()[0], 1), **row})
            say(json.dumps(rows[-1]))
        num_new = len(replicas(server) - before)
    say(json.dumps({"benchmark": "redeploy", "new_replicas": num_new, "rows": rows}))


if __name__ == "__main__":
    main()
