"""Measures time to first audio, stalls and throughput of both engines in one process.

    python benchmarks/streaming.py --model embedded --num-streams 1,4,16

The listeners of a round start evenly over the length of one stream, so that the load is steady.
Each plays its audio from the first chunk on, or waits as long as it is told. A stream is stalled if
its listener then waits longer than 100 ms for more audio. `needed_prebuffer_ms` is how long a
player must wait after the first chunk to never run dry. Without `--start` the streams are made as
fast as possible, and nobody is told anything. With `--start` they are paced, so `audio_s_per_s`
says nothing about throughput. The floor: real-time playback of all streams needs as many audio
seconds per second as there are streams. The last line is one JSON object. Needs no Ray; runs on a
CPU or on CUDA.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.config import Limits, ServeArgs, VocoderSettings
from app.core import SAMPLE_RATE, FinishReason, SynthesisRequest
from app.engine.synthesizer import LocalSynthesizer
from app.t3_settings import T3Settings
from benchmarks.measure import machine, parse_counts, resolve_device, say
from benchmarks.players import figures
from benchmarks.speakers import request_of
from loadtests.playback import Player

TEXT = (
    "Thank you for calling, I am glad to help. Your parcel left our warehouse this morning and "
    "should reach you before noon tomorrow. Is there anything else that I can do for you today?"
)


def main() -> None:
    options = parse(sys.argv[1:])
    most = max(options.num_streams)
    args = ServeArgs(
        model=options.model,
        device=options.device,
        limits=Limits(admit="all"),
        t3=T3Settings(slots=2 * most),
        vocoder=VocoderSettings(slots=2 * most, policy=options.policy),
    )
    policy = options.policy or "the model's policy"
    say(f"{options.model}, {policy}; {machine(torch.device(options.device))}")
    synthesizer = LocalSynthesizer.open(args)
    try:
        rows = asyncio.run(_measure(synthesizer, options))
    finally:
        synthesizer.close()
    result = {
        "benchmark": "streaming",
        "model": options.model,
        "device": options.device,
        "policy": options.policy,
        "start": options.start,
        "rows": rows,
    }
    say(json.dumps(result))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="embedded", help="a model, as in serve_config.yaml")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--policy", choices=["window", "chunked", "full"])
    parser.add_argument(
        "--num-streams", type=parse_counts, default=[1, 4, 16], help="for example 1,4,16"
    )
    parser.add_argument("--start", choices=["smooth", "soonest"], help="of paced streams")
    parser.add_argument("--rounds", type=int, default=3, help="rounds per number of streams")
    parser.add_argument("--text", default=TEXT, help="the text of every stream")
    options = parser.parse_args(arguments)
    options.device = resolve_device(options.device)
    return options


async def _measure(
    synthesizer: LocalSynthesizer, options: argparse.Namespace
) -> list[dict[str, object]]:
    text = options.text

    async def listen(name: str, after_s: float) -> Player:
        await asyncio.sleep(after_s)
        request = request_of(
            synthesizer.card(),
            text,
            name,
            is_paced=options.start is not None,
            is_held=options.start == "smooth",
        )
        return await _listen(synthesizer, request)

    length_s = (await listen("warm", 0.0)).audio_s
    say(f"the text is {length_s:.1f} s of audio")
    say("streams  first audio ms p50  p95  prebuffer ms p50  p95  stalled  audio-s/s")
    rows: list[dict[str, object]] = []
    for count in options.num_streams:
        players: list[Player] = []
        took_s = 0.0
        for number in range(options.rounds):
            started = time.perf_counter()
            listeners = [
                listen(f"{count}-{number}-{n}", length_s * n / count) for n in range(count)
            ]
            players += await asyncio.gather(*listeners)
            took_s += time.perf_counter() - started
        rows.append(_row(count, players, took_s))
    return rows


async def _listen(synthesizer: LocalSynthesizer, request: SynthesisRequest) -> Player:
    player, started = Player(), time.perf_counter()
    async for chunk in synthesizer.speak(request):
        if chunk.finish not in (None, FinishReason.STOP, FinishReason.LENGTH):
            raise RuntimeError(f"{request.key.session_id} ended with {chunk.finish}")
        player.tell(chunk.prebuffer_s)
        if len(chunk.pcm):
            player.feed(time.perf_counter() - started, len(chunk.pcm) / SAMPLE_RATE)
    return player


def _row(count: int, players: Sequence[Player], took_s: float) -> dict[str, object]:
    row = {"num_streams": count, **figures(players)}
    row["audio_s_per_s"] = round(sum(player.audio_s for player in players) / took_s, 3)
    first, needed = row["ttfa_ms"], row["needed_prebuffer_ms"]
    say(
        f"{count:7}  {first['p50']:18.0f}  {first['p95']:3.0f}  {needed['p50']:16.0f}  "
        f"{needed['p95']:3.0f}  {row['num_stalled']:4} of {len(players)}  "
        f"{row['audio_s_per_s']:9.2f}"
    )
    return row


if __name__ == "__main__":
    main()
