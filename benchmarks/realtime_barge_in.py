"""Measures interruptions of a realtime session by voice, against a server that hears.

    python benchmarks/realtime_barge_in.py --url http://127.0.0.1:8000 --n 100

The voice is that of the recorded call (benchmarks/calls), sent at 24 kHz in frames of 20 ms, as it
is spoken. Each reply is interrupted at a random moment of its first second of sound. A short reply
may have been sent whole by then, ahead of its playback: such a turn is counted apart. `noticed` is
from the voice's beginning in the recording to the event `speech_started` at this client; `wire` is
from there to the last sound of the reply, 0 where none followed. The legs of `response.interrupted`
are the server's, and so is `t3_stopped`: from the notice to the stop of T3, by the marks of that
event and of the report of the session. Both processes must share one machine's clock. The floor:
the voiced frames that the detector needs (96 ms), and the frame of 20 ms that is being sent. Exits
with 1 where a bound is broken. The last line is one JSON object.
"""

import argparse
import asyncio
import base64
import json
import random
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soxr
import websockets

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.client.speech_client import key_headers
from benchmarks.measure import quantile
from benchmarks.recorded_call import RATE, RecordedCall, read_call

CLIENT_RATE, FRAME_S = 24_000, 0.02
FRAME_BYTES = int(CLIENT_RATE * FRAME_S) * 2
WITHIN_S = 30.0
MOST_TRIED = 3  # times the interruptions that are asked for
PAUSE_S = 1.2  # of silence after an utterance, in which it ends
BOUNDS_MS = {"noticed": ("p50", 250.0), "t3_stopped": ("p95", 60.0), "listening": ("p95", 150.0)}


@dataclass
class Line:
    """One session: a frame of sound goes out every 20 ms, and events come in."""

    socket: Any
    rest: bytes = b""
    events: asyncio.Queue[tuple[float, dict[str, Any]]] = field(default_factory=asyncio.Queue)

    async def send(self, kind: str, **fields: object) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def talk(self) -> None:
        at_s = time.monotonic()
        while True:
            part, self.rest = self.rest[:FRAME_BYTES], self.rest[FRAME_BYTES:]
            sound = base64.b64encode(part.ljust(FRAME_BYTES, b"\0")).decode()
            await self.send("input_audio_buffer.append", audio=sound)
            at_s += FRAME_S
            await asyncio.sleep(max(0.0, at_s - time.monotonic()))

    async def listen(self) -> None:
        async for frame in self.socket:
            self.events.put_nowait((time.monotonic(), json.loads(frame)))

    async def until(self, *kinds: str) -> list[tuple[float, dict[str, Any]]]:
        heard: list[tuple[float, dict[str, Any]]] = []
        try:
            async with asyncio.timeout(WITHIN_S):
                while not heard or heard[-1][1]["type"] not in kinds:
                    heard.append(await self.events.get())
                    if heard[-1][1]["type"] == "error":
                        raise RuntimeError(str(heard[-1][1]))
        except TimeoutError:
            came = [event["type"] for _, event in heard]
            raise RuntimeError(f"none of {kinds} within {WITHIN_S:g} s, but {came}") from None
        return heard


def voices(call: RecordedCall) -> list[bytes]:
    """The interruptions of the call, at the client's rate. Each begins with its voice."""
    found = []
    for moment in call.of_kind("interruption"):
        cut = call.cut(moment.began_s, moment.ended_s).astype(np.float32) / 32_768
        sound = soxr.resample(cut, RATE, CLIENT_RATE)
        found.append((np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes())
    return found


Legs = dict[str, float | None]  # in ms
COMPLETED = "conversation.item.input_audio_transcription.completed"


async def interrupt(
    line: Line, http: httpx.AsyncClient, voice: bytes, after_s: float
) -> Legs | None:
    """Of one interruption. None where the reply had been sent whole when the voice was noticed."""
    await line.send("response.create")
    await line.until("response.output_audio.delta")
    await asyncio.sleep(after_s)
    began_s = time.monotonic()
    line.rest = voice
    events = await line.until("response.interrupted", COMPLETED)
    told = events[-1][1]
    if told["type"] == COMPLETED:
        return None
    if not any(event["type"] == "response.done" for _, event in events):
        events += await line.until("response.done")
    at = next(n for n, (_, e) in enumerate(events) if e["type"].endswith("speech_started"))
    noticed_s = events[at][0]
    late = [s for s, e in events[at:] if e["type"] == "response.output_audio.delta"]
    done = [e["response"] for _, e in events if e["type"] == "response.done"]
    legs: Legs = {f"server_{name}": ms for name, ms in told["legs_ms"].items()}
    legs |= {"noticed": (noticed_s - began_s) * 1e3, "listening": legs.get("server_listening")}
    legs["wire"] = max([0.0, *((s - noticed_s) * 1e3 for s in late)])
    server_noticed_s = told["marks"]["noticed"]
    legs["t3_stopped"] = await _t3_stopped(http, done[0]["session_id"], server_noticed_s)
    await line.until(COMPLETED)
    return legs


async def _t3_stopped(http: httpx.AsyncClient, session_id: str, noticed_s: float) -> float | None:
    """From the notice, of the session's last take. None where T3 had nothing to do."""
    stopped = None
    for take in range(8):
        answer = await http.get(f"/v1/sessions/{session_id}-{take}")
        if answer.status_code != httpx.codes.OK:
            break
        marks = answer.json()["marks"]
        if "t3_stopped" in marks:
            stopped = max(0.0, (marks["t3_stopped"] - noticed_s) * 1e3)
    return stopped


async def measure(url: str, num: int, seed: int) -> tuple[list[Legs], int]:
    """The legs of `num` interruptions, and how many further ones met nothing that was spoken."""
    rng = random.Random(seed)
    spoken = voices(read_call())
    address = f"{url.replace('http', 'ws')}/v1/realtime?model=any"
    done: list[Legs] = []
    num_tried = 0
    async with (
        httpx.AsyncClient(base_url=url, headers=key_headers()) as http,
        websockets.connect(address, additional_headers=key_headers(), max_size=None) as socket,
    ):
        line = Line(socket)
        listening = asyncio.ensure_future(line.listen())
        turns = {"type": "server_vad", "create_response": False}
        heard = {"turn_detection": turns, "transcription": {"model": "any"}}
        await line.send("session.update", session={"audio": {"input": heard}})
        talking = asyncio.ensure_future(line.talk())
        await line.until("session.updated")
        await asyncio.sleep(1.0)
        while len(done) < num:
            voice = spoken[num_tried % len(spoken)]
            legs = await interrupt(line, http, voice, rng.uniform(0.1, 1.0))
            num_tried += 1
            if legs is not None:
                done.append(legs)
            elif num_tried > MOST_TRIED * num:
                raise RuntimeError(f"only {len(done)} of {num_tried} interruptions met a reply")
            await asyncio.sleep(PAUSE_S)
        for task in (talking, listening):
            task.cancel()
    return done, num_tried - num


def quantiles(done: list[Legs]) -> dict[str, dict[str, float | int]]:
    found: defaultdict[str, list[float]] = defaultdict(list)
    for turn in done:
        for name, ms in turn.items():
            if ms is not None:
                found[name].append(ms)
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {
        name: {key: round(quantile(ms, share) or 0.0, 1) for key, share in shares.items()}
        | {"n": len(ms)}
        for name, ms in sorted(found.items())
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    done, num_missed = asyncio.run(measure(args.url, args.n, args.seed))
    legs = quantiles(done)
    broken = [
        f"{name} {key} is {legs[name][key]} ms, the bound is {bound:g} ms"
        for name, (key, bound) in BOUNDS_MS.items()
        if name not in legs or legs[name][key] > bound
    ]
    for name, values in legs.items():
        sys.stdout.write(f"{name:<24} {values}\n")
    for line in broken:
        sys.stdout.write(f"broken: {line}\n")
    report = {"benchmark": "realtime_barge_in", "n": args.n, "met_nothing": num_missed}
    report |= {"passed": not broken, "legs_ms": legs}
    sys.stdout.write(json.dumps(report) + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
