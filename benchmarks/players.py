"""Players of a running server's answers, and the figures of what they heard.

A player's times are seconds from its request. Knows nothing about callers or servers.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpx
from websockets.asyncio.client import connect

from app.core import SAMPLE_RATE
from benchmarks.measure import quantile
from loadtests.playback import Player, told_prebuffer_s
from loadtests.spoken_sockets import SOCKETS, SocketVia, SpokenSocket

BYTES_PER_S = SAMPLE_RATE * 2
NONE: Mapping[str, str] = {}
REFUSED_WITH = (429, 503)
RIGHT_WITHIN_S = 0.05  # a told prebuffer is right within this


class Refused(Exception):
    """The server has no room now. `after_s`: when to come again, by the server."""

    def __init__(self, message: str, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s


async def first_voice(client: httpx.AsyncClient) -> tuple[str, str]:
    """The server's model, and the first of its voices."""
    model = (await client.get("/v1/models")).json()["data"][0]["id"]
    voice = (await client.get("/v1/audio/voices")).json()["voices"][0]["id"]
    return model, voice


async def play(
    client: httpx.AsyncClient, path: str, body: Mapping[str, Any], num_header: int = 0
) -> Player:
    """Plays an answer of 16-bit audio after `num_header` bytes. Raises Refused, and RuntimeError
    for another answer without audio."""
    player, num_bytes, sent_s = Player(), 0, time.monotonic()
    async with client.stream("POST", path, json=body) as response:
        if response.status_code != httpx.codes.OK:
            await response.aread()
            message = f"{response.status_code}: {response.text}"
            if response.status_code in REFUSED_WITH:
                raise Refused(message, float(response.headers.get("Retry-After", 1)))
            raise RuntimeError(message)
        player.tell(told_prebuffer_s(response.headers))
        async for part in response.aiter_raw():
            is_header = max(0, min(len(part), num_header - num_bytes))
            num_bytes += len(part)
            if len(part) > is_header:
                player.feed(time.monotonic() - sent_s, (len(part) - is_header) / BYTES_PER_S)
    if player.first_s is None:
        raise RuntimeError("the answer has no audio")
    return player


def connected(
    client: httpx.AsyncClient, talk: SpokenSocket, voice: str, headers: Mapping[str, str] = NONE
) -> connect:
    """A socket to the client's server, with the client's key."""
    address = client.base_url.join(talk.path(voice)).copy_with(scheme="ws")
    given = dict(headers)
    if (key := client.headers.get("Authorization")) is not None:
        given["Authorization"] = key
    return connect(str(address), additional_headers=given, proxy=None, max_size=None)


async def play_on_socket(
    client: httpx.AsyncClient, via: SocketVia, text: str, voice: str, fields: Mapping[str, Any]
) -> Player:
    """Plays one context of a socket of its own; the handshake counts. `fields`: as in
    SpokenSocket.opening. Raises RuntimeError for an error and for an answer without audio."""
    talk, player, sent_s = SOCKETS[via], Player(), time.monotonic()
    async with connected(client, talk, voice) as socket:
        for frame in talk.opening(voice, text, fields):
            await socket.send(frame)
        async for received in socket:
            said = talk.read(received)
            if said.error is not None:
                raise RuntimeError(said.error)
            if said.prebuffer_ms is not None:
                player.tell(said.prebuffer_ms / 1000)
            if said.sound:
                player.feed(time.monotonic() - sent_s, len(said.sound) / BYTES_PER_S)
            if said.is_over:
                break
    if player.first_s is None:
        raise RuntimeError("the answer has no audio")
    return player


def figures(players: Sequence[Player]) -> dict[str, Any]:
    """Of players that heard something."""
    return {
        "num_heard": len(players),
        "ttfa_ms": p50_p95(player.first_s for player in players),
        "needed_prebuffer_ms": p50_p95(player.needed_prebuffer_s for player in players),
        "told_prebuffer_ms": p50_p95(player.told_prebuffer_s for player in players),
        "num_stalled": sum(bool(player.stalls_s) for player in players),
        "longest_stall_ms": round(
            1e3 * max((stall_s for player in players for stall_s in player.stalls_s), default=0), 1
        ),
    }


def p50_p95(values_s: Iterable[float | None]) -> dict[str, float | None]:
    """In milliseconds."""
    known = [1e3 * value_s for value_s in values_s if value_s is not None]
    return {"p50": quantile(known, 0.5), "p95": quantile(known, 0.95)}


def told_right_share(players: Iterable[Player]) -> float | None:
    """Among the players that were told a prebuffer; None if no player was."""
    right = [
        abs(player.told_prebuffer_s - player.needed_prebuffer_s) <= RIGHT_WITHIN_S
        for player in players
        if player.told_prebuffer_s is not None
    ]
    return round(sum(right) / len(right), 3) if right else None
