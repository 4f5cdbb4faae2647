"""What the first cell's size, and voicing tokens while the rest are made, buy of one stream.

    python benchmarks/prebuffer.py --model embedded

In one process, on the CPU, without Ray or HTTP. For each size of the first cell: when the first
sound is there, how long a player must wait before it starts so that it never runs dry, and when it
then starts. `alone` withholds the tokens from the vocoder until the last is there. Medians. Last
line JSON.
"""

import argparse
import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from anywhere

from app.config import ServeArgs, VocoderSettings
from app.core import SAMPLE_RATE, SessionKey, SpeechTokens, SynthesisRequest, TokenRequest, VoiceRef
from app.engine.pipeline import SpeechPipeline
from app.engine.stages.card import model_card
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage
from app.sessions.timeline import first_audio_legs

TEXT = "You hear this sentence while it is being made, or, where that is asked for, not before."
ROUNDS = 5


class Heard(NamedTuple):
    first_ms: float  # until the first sound
    prebuffer_ms: float  # what a player then waits, so that no later sound is late
    legs_ms: dict[str, float]

    @property
    def start_ms(self) -> float:
        return self.first_ms + self.prebuffer_ms


class Withheld:
    """T3 whose tokens leave when the last is there. Implements app.core.TokenSource."""

    def __init__(self, t3: T3Stage) -> None:
        self._t3 = t3

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        groups = [group async for group in self._t3.tokens(request)]
        for group in groups:
            yield group


async def hear(pipeline: SpeechPipeline, request: SynthesisRequest) -> Heard:
    first_s, num_samples, late_s = None, 0, 0.0
    marks: dict[str, float] = {}
    async with aclosing(pipeline.speak(request)) as chunks:
        async for chunk in chunks:
            now = time.monotonic()
            if first_s is None:
                first_s, marks = now, first_audio_legs(chunk.marks)
            late_s = max(late_s, now - first_s - num_samples / SAMPLE_RATE)
            num_samples += len(chunk.pcm)
    assert first_s is not None
    return Heard((first_s - request.received_s) * 1000, late_s * 1000, marks)


async def measure(model: str, first_cell: int, *, overlap: bool) -> dict[str, object]:
    args = ServeArgs(model=model, device="cpu", vocoder=VocoderSettings(first_cell=first_cell))
    card = model_card(args)
    t3, vocoder = T3Stage.open(args, "cpu"), VocoderStage.open(args, "cpu")
    pipeline = vocoder.pipeline(t3 if overlap else Withheld(t3))
    request = SynthesisRequest(
        SessionKey("default", ""), (TEXT,), VoiceRef(card.voices[0]), replace(card.defaults, seed=1)
    )
    heard = []
    for _ in range(1 + ROUNDS):  # the first warms up
        key = SessionKey("default", uuid.uuid4().hex)
        heard.append(await hear(pipeline, replace(request, key=key, received_s=time.monotonic())))
    t3.close()
    vocoder.close()
    return {
        "first_cell": first_cell,
        "tokens": "while they come" if overlap else "alone",
        "first_ms": round(median(h.first_ms for h in heard[1:])),
        "prebuffer_ms": round(median(h.prebuffer_ms for h in heard[1:])),
        "start_ms": round(median(h.start_ms for h in heard[1:])),
        "legs_ms": heard[-1].legs_ms,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--first-cells", type=int, nargs="+", default=[6, 13, 25, 50])
    args = parser.parse_args()
    rows = []
    for overlap in (True, False):
        for first_cell in args.first_cells if overlap else args.first_cells[1:2]:
            rows.append(asyncio.run(measure(args.model, first_cell, overlap=overlap)))
            sys.stderr.write(f"{rows[-1]}\n")
    sys.stdout.write(json.dumps({"benchmark": "prebuffer", "rows": rows}) + "\n")


if __name__ == "__main__":
    main()
