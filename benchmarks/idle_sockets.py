"""Measures what open sockets that say nothing cost a server, and what speech beside them waits for.

    python benchmarks/idle_sockets.py --num-sockets 500 --turns 20

Starts a server on serve_config.yaml with room for all sockets of one caller. A lone caller speaks
turns before the sockets are open and while they are: a quarter each of our own protocol, Cartesia,
ElevenLabs and Deepgram. Then one idle socket of each protocol speaks. The floor is the row without
sockets. Exits with 1 where a socket was refused or closed, or does not speak. The last line is one
JSON object.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx
import psutil
from websockets.asyncio.client import ClientConnection
from websockets.protocol import State

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.client.speech_client import key_headers
from benchmarks.measure import say
from benchmarks.players import connected, figures, first_voice, play
from benchmarks.startup_sides import Server, Side
from loadtests.playback import Player
from loadtests.spoken_sockets import SOCKETS, SpokenSocket

ROOT = Path(__file__).parents[1]
TEXT = "Your parcel left our warehouse this morning and should reach you before noon tomorrow."
INGRESS = "ServeReplica:chatterbox:Ingress"


def main() -> int:
    options = parse(sys.argv[1:])
    bounds = {"max_sockets_per_key": options.num_sockets + 1, "requests_per_s": None}
    args = {"admission": bounds}
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Side("now", ROOT, args=args), Path(folder))
        try:
            server.wait_healthy()
            result = asyncio.run(_measure(server, options.num_sockets, options.turns))
        finally:
            server.stop()
    say(json.dumps({"benchmark": "idle-sockets", **result}))
    return 0 if result["num_open"] == options.num_sockets and all(result["spoke"].values()) else 1


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--num-sockets", type=int, default=500)
    parser.add_argument("--turns", type=int, default=20, help="of each row")
    return parser.parse_args(arguments)


async def _measure(server: Server, num_sockets: int, num_turns: int) -> dict[str, Any]:
    async with (
        httpx.AsyncClient(base_url=server.url, timeout=120, headers=key_headers()) as client,
        AsyncExitStack() as stack,
    ):
        model, voice = await first_voice(client)
        body = {"model": model, "voice": voice, "input": TEXT, "response_format": "pcm"}
        await _turns(client, body, 4)  # warms up
        alone, before_mb = await _turns(client, body, num_turns), _ingress_mb(server)
        kinds = islice(cycle(SOCKETS.items()), num_sockets)
        sockets = [
            (via, await stack.enter_async_context(connected(client, talk, voice)))
            for via, talk in kinds
        ]
        opened_mb = _ingress_mb(server)
        beside = await _turns(client, body, num_turns)
        num_open = sum(socket.state is State.OPEN for _, socket in sockets)
        newest = dict(sockets)  # of each protocol
        spoke = {via: await _speak(SOCKETS[via], socket, voice) for via, socket in newest.items()}
    return {
        "num_sockets": num_sockets,
        "num_open": num_open,
        "spoke": spoke,
        "kib_per_socket": round((opened_mb - before_mb) * 1024 / num_sockets, 1),
        "alone": figures(alone),
        "beside": figures(beside),
    }


async def _turns(client: httpx.AsyncClient, body: Mapping[str, Any], num: int) -> list[Player]:
    return [await play(client, "/v1/audio/speech", body) for _ in range(num)]


async def _speak(talk: SpokenSocket, socket: ClientConnection, voice: str) -> bool:
    """Whether a text sounds on a socket that has said nothing so far."""
    for frame in talk.opening(voice, TEXT, {}):
        await socket.send(frame)
    num_bytes = 0
    async for received in socket:
        said = talk.read(received)
        num_bytes += len(said.sound)
        if said.is_over:
            return said.error is None and num_bytes > 0
    return False


def _ingress_mb(server: Server) -> float:
    """The resident memory of the ingress."""
    sizes: list[int] = [
        process.memory_info().rss
        for process in psutil.Process(server.process.pid).children(recursive=True)
        if INGRESS in " ".join(process.cmdline())
    ]
    return sum(sizes) / 2**20


if __name__ == "__main__":
    sys.exit(main())
