"""Measures time to first audio, stalls and throughput of both engines in one process.

    python benchmarks/streaming.py --model embedded --num-streams 1,4,16

The listeners of a round start evenly over the length of one stream, so that the load is steady.
Each plays its audio from the first chunk on. A stream is stalled if its listener then waits longer
than 100 ms for more audio. The floor: real-time playback of all streams needs as many audio seconds
per second as there are streams. The last line is one JSON object. Needs no Ray; runs on a CPU or on
CUDA.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.config import ServeArgs, T3Settings, VocoderSettings
from app.core import SAMPLE_RATE, FinishReason
from app.engine.synthesizer import LocalSynthesizer
from benchmarks.measure import machine, parse_counts, quantile, resolve_device, say
from benchmarks.speakers import request_of

STALL_S = 0.1
TEXT = (
    "Thank you for calling, I am glad to help. Your parcel left our warehouse this morning and "
    "should reach you before noon tomorrow. Is there anything else that I can do for you today?"
)


class Playback(NamedTuple):
    """The times of one listener in seconds."""

    first_s: float  # time to first audio
    stalled_s: float  # the longest later wait for audio
    audio_s: float


def main() -> None:
    options = parse(sys.argv[1:])
    most = max(options.num_streams)
    args = ServeArgs(
        model=options.model,
        device=options.device,
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
    parser.add_argument("--rounds", type=int, default=3, help="rounds per number of streams")
    parser.add_argument("--text", default=TEXT, help="the text of every stream")
    options = parser.parse_args(arguments)
    options.device = resolve_device(options.device)
    return options


async def _measure(
    synthesizer: LocalSynthesizer, options: argparse.Namespace
) -> list[dict[str, object]]:
    text = options.text
    length_s = (await _listen(synthesizer, text, "warm", 0.0)).audio_s
    say(f"the text is {length_s:.1f} s of audio")
    say("streams  first audio ms p50  p95  stalled  longest stall ms  audio-s/s")
    rows: list[dict[str, object]] = []
    for count in options.num_streams:
        playbacks: list[Playback] = []
        took_s = 0.0
        for number in range(options.rounds):
            started = time.perf_counter()
            listeners = [
                _listen(synthesizer, text, f"{count}-{number}-{n}", length_s * n / count)
                for n in range(count)
            ]
            playbacks += await asyncio.gather(*listeners)
            took_s += time.perf_counter() - started
        rows.append(_row(count, playbacks, took_s))
    return rows


async def _listen(synthesizer: LocalSynthesizer, text: str, name: str, after_s: float) -> Playback:
    await asyncio.sleep(after_s)
    request = request_of(synthesizer.card(), text, name, is_paced=False)
    started, first_at = time.perf_counter(), 0.0
    audio_s = stalled_s = 0.0
    async for chunk in synthesizer.speak(request):
        now = time.perf_counter()
        if chunk.finish not in (None, FinishReason.STOP, FinishReason.LENGTH):
            raise RuntimeError(f"{name} ended with {chunk.finish}")
        if not len(chunk.pcm):
            continue
        if not audio_s:
            first_at = now
        stalled_s = max(stalled_s, now - first_at - audio_s)
        audio_s += len(chunk.pcm) / SAMPLE_RATE
    return Playback(first_at - started, stalled_s, audio_s)


def _row(count: int, playbacks: Sequence[Playback], took_s: float) -> dict[str, object]:
    first_ms = [1e3 * one.first_s for one in playbacks]
    p50, p95 = quantile(first_ms, 0.5), quantile(first_ms, 0.95)
    num_stalled = sum(one.stalled_s > STALL_S for one in playbacks)
    worst_ms = 1e3 * max(one.stalled_s for one in playbacks)
    rate = sum(one.audio_s for one in playbacks) / took_s
    say(
        f"{count:7}  {p50:18.0f}  {p95:3.0f}  {num_stalled:4} of {len(playbacks)}  "
        f"{worst_ms:16.0f}  {rate:9.2f}"
    )
    return {
        "num_streams": count,
        "num_heard": len(playbacks),
        "ttfa_ms": {"p50": p50, "p95": p95},
        "stalled_streams": num_stalled,
        "longest_stall_ms": round(worst_ms, 1),
        "audio_s_per_s": round(rate, 3),
    }


if __name__ == "__main__":
    main()
