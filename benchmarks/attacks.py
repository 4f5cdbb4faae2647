"""Measures what one key's attack takes from another key's listeners, here and in another checkout.

    python benchmarks/attacks.py --rounds 1 --before ../the-commit-before

Each round starts a server of each side, one after another, the other side first in every second
round. Ten listeners play one paced stream after another, while each attack is there, and while none
is. Measured are the longest silence of each listener after a first sound, how long /health takes to
answer, and how long a cancel of a running session does. An answer that does not come in time counts
as the time that it was waited for. All listeners are let in, also where they are more than the
machine bears (limits.admit). Attacks, from a process of their own:

    slow-bodies      bodies of which 20 bytes come
    idle-sockets     sockets that say nothing
    small-requests   GET /v1/models, on each connection one after another without a pause

The floor is the row without an attack. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import os
import random
import ssl
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from benchmarks.listeners import Heard, interrupt, listen
from benchmarks.measure import quantile, say
from benchmarks.speakers import ServedSpeaker
from benchmarks.startup_sides import Server, Side
from loadtests.attackers import attacking
from loadtests.keys_file import write_keys

ROOT = Path(__file__).parents[1]
NUMBERS = {"none": 0, "slow-bodies": 560, "idle-sockets": 512, "small-requests": 48}
LISTENERS, ATTACKER = "attacks-listeners", "attacks-attacker"
WARM_S = 5.0  # of listeners before the attack
ASK_EVERY_S = 0.25
ANSWER_WITHIN_S = 10.0
SETTLED_WITHIN_S = 200.0


async def ask_health(url: str, until_s: float) -> list[float]:
    """The times of the answers, in ms, each on a connection of its own as a balancer asks. One TLS
    context serves all clients: to make one takes 17 ms of this process, which also times the
    cancels."""
    asked_ms, tls = [], ssl.create_default_context()
    while time.monotonic() < until_s:
        began_s = time.monotonic()
        with suppress(httpx.TransportError):
            async with httpx.AsyncClient(
                base_url=url, timeout=ANSWER_WITHIN_S, verify=tls
            ) as client:
                await client.get("/health")
        asked_ms.append((time.monotonic() - began_s) * 1000)
        await asyncio.sleep(ASK_EVERY_S)
    return asked_ms


async def measure(url: str, attack: str, options: argparse.Namespace) -> dict[str, Any]:
    limits = httpx.Limits(max_connections=None)
    headers = {"Authorization": f"Bearer {LISTENERS}"}
    async with httpx.AsyncClient(
        base_url=url, timeout=120, limits=limits, headers=headers
    ) as client:
        speaker = await ServedSpeaker.of(client)
        until_s = time.monotonic() + WARM_S + options.seconds
        listeners = [
            asyncio.ensure_future(listen(speaker, until_s)) for _ in range(options.num_listeners)
        ]
        await asyncio.sleep(WARM_S)
        attackers = {**os.environ, "CHATTERBOX_API_KEY": ATTACKER}
        number = NUMBERS[attack]
        attacked: AbstractContextManager[dict[str, object]] = (
            attacking(url, attack, number, attackers) if number else nullcontext({})
        )
        with attacked as counted:
            health_ms, acks_ms = await asyncio.gather(
                ask_health(url, until_s), interrupt(speaker, until_s, random.Random(1))
            )
            heard = await asyncio.gather(*listeners)
    return row(heard, health_ms, acks_ms) | {"attackers": counted}


def row(
    heard: Sequence[Sequence[Heard]], health_ms: Sequence[float], acks_ms: Sequence[float]
) -> dict[str, Any]:
    """`heard`: of each listener its streams."""
    silences = [max(stream.silence_s for stream in streams) for streams in heard if streams]
    firsts = [stream.first_s for streams in heard for stream in streams]
    return {
        "without_sound": sum(not stream.audio_s for streams in heard for stream in streams),
        "silence_s": {"p50": quantile(silences, 0.5), "longest": quantile(silences, 1.0)},
        "first_s": {"p50": quantile(firsts, 0.5), "longest": quantile(firsts, 1.0)},
        "health_ms": tail(health_ms),
        "cancel_ms": tail(acks_ms),
    }


def tail(values: Sequence[float]) -> dict[str, float | int | None]:
    return {"n": len(values), "p50": quantile(values, 0.5), "p95": quantile(values, 0.95)}


async def until_settled(url: str) -> None:
    """Until /health answers and no session is live. After an attack this may take a while."""
    give_up_s = time.monotonic() + SETTLED_WITHIN_S
    async with httpx.AsyncClient(base_url=url, timeout=ANSWER_WITHIN_S) as client:
        while time.monotonic() < give_up_s:
            with suppress(httpx.TransportError, ValueError):
                answer = await client.get("/health")
                stages = answer.json()["stages"].values() if answer.is_success else ()
                if stages and all(stage["live"] == 0 for stage in stages):
                    return
            await asyncio.sleep(ASK_EVERY_S)


def run(side: Side, options: argparse.Namespace, number: int) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        side.args["access"] = {"keys_file": str(write_keys(folder, (LISTENERS, ATTACKER)))}
        if "admit:" in (side.root / "app" / "config.py").read_text():  # else all are let in
            side.args["limits"] = {"admit": "all"}
        server = Server(side, folder)
        try:
            server.wait_healthy()
            for attack in options.attacks:
                asyncio.run(until_settled(server.url))
                measured = asyncio.run(measure(server.url, attack, options))
                rows.append({"side": side.name, "attack": attack, "round": number} | measured)
                say(json.dumps(rows[-1]))
        finally:
            server.stop()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--before", type=Path, help="a checkout of the commit to compare with")
    parser.add_argument("--attacks", nargs="+", choices=NUMBERS, default=list(NUMBERS))
    parser.add_argument("--num-listeners", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=40.0, help="of each attack")
    options = parser.parse_args()
    sides = [Side("now", ROOT)]
    if options.before is not None:
        sides.insert(0, Side("before", options.before.resolve()))
    rows = []
    for number in range(options.rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            rows += run(side, options, number)
    say(json.dumps({"benchmark": "attacks", "listeners": options.num_listeners, "rows": rows}))


if __name__ == "__main__":
    main()
