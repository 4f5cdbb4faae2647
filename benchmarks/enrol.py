"""Measures how long the first recordings of a server take to become voices.

    python benchmarks/enrol.py --rounds 3 --before ../the-commit-before

Each round starts each side's server with `chatterbox-serve serve`: the checkout of `--before`, then
this one. `quiet`: a recording is uploaded `--after` seconds after /health answers 200; the answer
comes when the voice can speak. `again`: a second recording follows at once. `beside`: another
server starts, and two streams run until a first recording has become a voice; `gap` is the longest
silence that a listener of the two heard meanwhile, `gap_before` the longest one in the ten seconds
before. Prints medians in seconds. The last line is one JSON object.
"""

import argparse
import asyncio
import io
import json
import statistics
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from benchmarks.measure import say
from benchmarks.players import BYTES_PER_S
from benchmarks.startup_sides import GIVE_UP_S, Server, Side, use_bytecode
from loadtests.playback import Player, told_prebuffer_s

ROOT = Path(__file__).parents[1]
NUM_STREAMS = 2
TEXT = (
    "Hello there. This is a recording of a voice, which is cloned a moment later. A recording must "
    "be longer than five seconds, so one more sentence follows the other two. "
)
LONG_TEXT = TEXT * 24
STREAMING_S = 10.0  # before the upload
Figures = dict[str, float]


def measure(side: Side, after_s: float, recording: bytes | None) -> tuple[Figures, bytes]:
    """One round of a side; a recording is made where none is given."""
    figures: Figures = {}
    with serving(side) as server:
        if recording is None:
            recording = spoken(server.url)
        time.sleep(after_s)
        figures["quiet"] = upload(server.url, "first", recording)
        figures["again"] = upload(server.url, "second", other(recording))
    with serving(side) as server:
        time.sleep(after_s)
        figures |= asyncio.run(beside_streams(server.url, recording))
    return figures, recording


@contextmanager
def serving(side: Side) -> Iterator[Server]:
    """A server that is ready."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(side, Path(folder))
        try:
            server.wait_healthy()
            yield server
        finally:
            server.stop()


def spoken(url: str) -> bytes:
    """A recording of the model's own voice."""
    body: dict[str, Any] = {"model": "embedded", "voice": "ada", "input": TEXT, "stream": False}
    body["response_format"] = "wav"
    answer = httpx.post(f"{url}/v1/audio/speech", json=body, timeout=GIVE_UP_S)
    return answer.raise_for_status().content


def other(recording: bytes) -> bytes:
    """Another recording of the same voice: the server enrols the same one once alone."""
    with wave.open(io.BytesIO(recording)) as file:
        header, frames = file.getparams(), file.readframes(file.getnframes())
    shorter = io.BytesIO()
    with wave.open(shorter, "wb") as file:
        file.setparams(header)
        file.writeframes(frames[: 2 * (len(frames) * 3 // 8)])
    return shorter.getvalue()


def upload(url: str, name: str, recording: bytes) -> float:
    """Seconds until the voice can speak."""
    began_s = time.monotonic()
    form = {"name": name, "consent": "A benchmark clones the model's own voice."}
    files = {"audio_sample": ("clone.wav", recording)}
    answer = httpx.post(f"{url}/v1/audio/voices", data=form, files=files, timeout=GIVE_UP_S)
    answer.raise_for_status()
    return time.monotonic() - began_s


async def beside_streams(url: str, recording: bytes) -> Figures:
    async with httpx.AsyncClient(base_url=url, timeout=GIVE_UP_S) as client:
        players = [Player() for _ in range(NUM_STREAMS)]
        listening = [asyncio.ensure_future(listen(client, player)) for player in players]
        while any(player.first_s is None for player in players):
            await asyncio.sleep(0.1)
            for listener in listening:
                if listener.done():
                    listener.result()  # raises
        await asyncio.sleep(STREAMING_S)
        before_s = longest_stall_s(players)
        for player in players:
            player.stalls_s.clear()
        took_s = await asyncio.to_thread(upload, url, "first", recording)
        if any(listener.done() for listener in listening):
            raise RuntimeError("a stream ended before the recording had become a voice")
        for listener in listening:
            listener.cancel()
        await asyncio.wait(listening)
    return {"beside": took_s, "gap": longest_stall_s(players), "gap_before": before_s}


def longest_stall_s(players: list[Player]) -> float:
    return max((stall_s for player in players for stall_s in player.stalls_s), default=0.0)


async def listen(client: httpx.AsyncClient, player: Player) -> None:
    body = {"model": "embedded", "voice": "ada", "input": LONG_TEXT, "response_format": "pcm"}
    sent_s = time.monotonic()
    async with client.stream("POST", "/v1/audio/speech", json=body) as response:
        response.raise_for_status()
        player.tell(told_prebuffer_s(response.headers))
        async for part in response.aiter_raw():
            player.feed(time.monotonic() - sent_s, len(part) / BYTES_PER_S)


def medians(rows: list[Figures]) -> Figures:
    return {name: round(statistics.median(row[name] for row in rows), 2) for name in rows[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--after", type=float, default=20.0, help="seconds from the start's end")
    parser.add_argument("--before", type=Path, help="a checkout of the commit to compare with")
    args = parser.parse_args()
    sides = [Side("now", ROOT)]
    if args.before is not None:
        sides.insert(0, Side("before", args.before.resolve()))
    rows: dict[str, list[Figures]] = {side.name: [] for side in sides}
    recording: bytes | None = None
    with tempfile.TemporaryDirectory() as folder:
        use_bytecode(folder)
        for _ in range(args.rounds):
            for side in sides:
                figures, recording = measure(side, args.after, recording)
                rows[side.name].append(figures)
                say(f"{side.name:<7} {json.dumps({k: round(v, 2) for k, v in figures.items()})}")
    report: dict[str, Any] = {"benchmark": "enrol", "rounds": args.rounds, "after_s": args.after}
    report |= {name: medians(figures) for name, figures in rows.items()}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
