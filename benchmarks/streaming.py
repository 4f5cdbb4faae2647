"""Text to sound through both engines in one process, heard by listeners who play it as it comes.

    python benchmarks/streaming.py --model embedded --num-streams 1,4,16

For each number of streams, so many listeners come one after another over a stream's length, so
that the load is steady, and each is told when its sound came. A stream is stalled if its listener
waited longer than 100 ms after the first sound. The last line is one JSON object. Runs where there
is no Ray, on a CPU and on CUDA alike.
"""

import argparse
import asyncio
import json
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file, from a checkout

from app.config import ServeArgs, T3Settings, VocoderSettings
from app.core import SAMPLE_RATE, FinishReason, SessionKey, SynthesisRequest, VoiceRef
from app.engine.synthesizer import LocalSynthesizer
from app.text.segments import segment
from benchmarks.measure import counts, default_device, machine, say

STALL_S = 0.1
TEXT = (
    "Thank you for calling, I am glad to help. Your parcel left our warehouse this morning and "
    "should reach you before noon tomorrow. Is there anything else that I can do for you today?"
)


class Heard(NamedTuple):
    """By one listener; seconds."""

    first_s: float  # from the request to the first sound
    stalled_s: float  # the longest wait after it
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
    parser.add_argument("--model", default="embedded", help="as in serve_config.yaml")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--policy", choices=["window", "chunked", "full"])
    parser.add_argument("--num-streams", type=counts, default=[1, 4, 16], help="1,4,16")
    parser.add_argument("--rounds", type=int, default=3, help="of each number of streams")
    parser.add_argument("--text", default=TEXT, help="what each listener hears")
    options = parser.parse_args(arguments)
    options.device = default_device(options.device)
    return options


async def _measure(
    synthesizer: LocalSynthesizer, options: argparse.Namespace
) -> list[dict[str, object]]:
    text = options.text
    length_s = (await _listen(synthesizer, text, "warm", 0.0)).audio_s
    say(f"the text is {length_s:.1f} s of sound")
    say("streams  first sound ms p50  p95  stalled  longest stall ms  audio-s/s")
    rows: list[dict[str, object]] = []
    for count in options.num_streams:
        heard: list[Heard] = []
        took_s = 0.0
        for number in range(options.rounds):
            started = time.perf_counter()
            listeners = [
                _listen(synthesizer, text, f"{count}-{number}-{n}", length_s * n / count)
                for n in range(count)
            ]
            heard += await asyncio.gather(*listeners)
            took_s += time.perf_counter() - started
        rows.append(_row(count, heard, took_s))
    return rows


async def _listen(synthesizer: LocalSynthesizer, text: str, name: str, after_s: float) -> Heard:
    await asyncio.sleep(after_s)
    card = synthesizer.card()
    request = SynthesisRequest(
        SessionKey("benchmark", name),
        segment(text, max_chars=card.max_segment_chars),
        VoiceRef(card.voices[0]),
        card.defaults,
        card.languages[0] if card.languages else None,
    )
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
    return Heard(first_at - started, stalled_s, audio_s)


def _row(count: int, heard: Sequence[Heard], took_s: float) -> dict[str, object]:
    first_ms = sorted(1e3 * one.first_s for one in heard)
    p50, p95 = (first_ms[math.ceil(share * len(first_ms)) - 1] for share in (0.5, 0.95))
    num_stalled = sum(one.stalled_s > STALL_S for one in heard)
    worst_ms = 1e3 * max(one.stalled_s for one in heard)
    rate = sum(one.audio_s for one in heard) / took_s
    say(
        f"{count:7}  {p50:18.0f}  {p95:3.0f}  {num_stalled:4} of {len(heard)}  "
        f"{worst_ms:16.0f}  {rate:9.2f}"
    )
    return {
        "num_streams": count,
        "num_heard": len(heard),
        "ttfa_ms": {"p50": round(p50, 1), "p95": round(p95, 1)},
        "stalled_streams": num_stalled,
        "longest_stall_ms": round(worst_ms, 1),
        "audio_s_per_s": round(rate, 3),
    }


if __name__ == "__main__":
    main()
