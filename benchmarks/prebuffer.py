"""Measures how the start of one stream depends on the size of the first cell, and on vocoding while
T3 still runs.

    python benchmarks/prebuffer.py --model embedded

Runs both engines in one process on the CPU, without Ray or HTTP. The figures of each size are
medians: the time to first audio, the prebuffer (how long a player must then wait so that it never
runs dry), and their sum. The floor: in the rows `alone` the vocoder gets all tokens at once, after
the last one, so that it never waits for T3. The last line is one JSON object.
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

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.config import ServeArgs, VocoderSettings
from app.core import (
    SAMPLE_RATE,
    SessionKey,
    SpeechTokens,
    SynthesisRequest,
    TokenRequest,
    VoiceRef,
)
from app.engine.pipeline import SpeechPipeline
from app.engine.stages.card import model_card
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage
from app.sessions.timeline import first_audio_legs
from loadtests.playback import Player

TEXT = "You hear this sentence while it is being made, or, where that is asked for, not before."
ROUNDS = 5
LONGEST = 52  # tokens of a cell


class Playback(NamedTuple):
    first_ms: float  # time to first audio
    prebuffer_ms: float  # a player that then waits so long never runs dry
    legs_ms: dict[str, float]

    @property
    def start_ms(self) -> float:
        return self.first_ms + self.prebuffer_ms


class WithheldTokens:
    """A TokenSource that gives all tokens after the last one is generated."""

    def __init__(self, t3: T3Stage) -> None:
        self._t3 = t3

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        groups = [group async for group in self._t3.tokens(request)]
        for group in groups:
            yield group


async def listen(pipeline: SpeechPipeline, request: SynthesisRequest) -> Playback:
    player, marks = Player(), {}
    async with aclosing(pipeline.speak(request)) as chunks:
        async for chunk in chunks:
            if player.first_s is None:
                marks = first_audio_legs(chunk.marks)
            if len(chunk.pcm):
                player.feed(time.monotonic() - request.received_s, len(chunk.pcm) / SAMPLE_RATE)
    assert player.first_s is not None
    return Playback(player.first_s * 1000, player.needed_prebuffer_s * 1000, marks)


def cells_from(first_cell: int) -> tuple[int, ...]:
    """Each cell twice as long as the one before, up to 52 tokens."""
    cells = [first_cell]
    while cells[-1] < LONGEST:
        cells.append(min(2 * cells[-1], LONGEST))
    return tuple(cells)


async def measure(model: str, first_cell: int, *, overlap: bool) -> dict[str, object]:
    vocoder_settings = VocoderSettings(cells=cells_from(first_cell))
    args = ServeArgs(model=model, device="cpu", vocoder=vocoder_settings)
    card = model_card(args)
    t3, vocoder = T3Stage.open(args, "cpu"), VocoderStage.open(args, "cpu")
    t3.start()
    vocoder.start()
    pipeline = vocoder.pipeline(t3 if overlap else WithheldTokens(t3))
    voice, sampling = VoiceRef(card.voices[0]), replace(card.defaults, seed=1)
    runs = []
    for _ in range(1 + ROUNDS):  # the first round warms up
        key = SessionKey("default", uuid.uuid4().hex)
        runs.append(await listen(pipeline, SynthesisRequest(key, (TEXT,), voice, sampling)))
    t3.close()
    vocoder.close()
    return {
        "first_cell": first_cell,
        "tokens": "streamed" if overlap else "alone",
        "first_ms": round(median(run.first_ms for run in runs[1:])),
        "prebuffer_ms": round(median(run.prebuffer_ms for run in runs[1:])),
        "start_ms": round(median(run.start_ms for run in runs[1:])),
        "legs_ms": runs[-1].legs_ms,
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
