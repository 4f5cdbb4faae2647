"""One side of burst.py: the engines of a checkout, T3 in a process of its own.

Reads a number of callers from each line of its input, and answers with one line of JSON.
"""

import argparse
import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

# Run as a script of one checkout, on the engines of another.
sys.path.insert(0, os.environ.get("BURST_TREE", str(Path(__file__).resolve().parents[1])))

import torch

from app.config import ServeArgs, VocoderSettings
from app.core import (
    NO_MARKS,
    SAMPLE_RATE,
    Marks,
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
from app.model_card import ModelCard
from app.sessions.tasks import TaskSet
from app.sessions.timeline import first_audio_legs
from app.t3_settings import T3Settings

TEXTS = (
    "Your parcel is there.",
    "Hello there, how are you today?",
    "We are open from nine to five.",
    "Please hold the line for a moment.",
    "The next train leaves at noon.",
    "I have found three results for you.",
    "Thank you very much for waiting.",
    "Which of the two would you like?",
)


class RemoteT3:
    """A TokenSource whose engine is in a process of its own, as in a deployment."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Call it on the event loop that will listen."""
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=run_t3, args=(theirs, options), daemon=True)
        self._process.start()
        self._connection.recv()  # it is warm
        self._queues: dict[SessionKey, asyncio.Queue[SpeechTokens]] = {}
        asyncio.get_running_loop().add_reader(self._connection.fileno(), self._receive)

    def _receive(self) -> None:
        while self._connection.poll():
            group = self._connection.recv()
            self._queues[group.key].put_nowait(group)

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        queue = self._queues[request.key] = asyncio.Queue()
        self._connection.send(request)
        while True:
            group = await queue.get()
            yield group
            if group.finish is not None:
                return

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._connection.fileno())
        self._process.terminate()
        self._process.join()


def run_t3(connection: Connection, options: argparse.Namespace) -> None:
    asyncio.run(_serve_t3(connection, options))


async def _serve_t3(connection: Connection, options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    stage = T3Stage.open(_arguments(options), "cpu")
    stage.start()

    async def speak(request: TokenRequest) -> None:
        async for group in stage.tokens(request):
            connection.send(group)

    connection.send(None)
    speaking = TaskSet()
    loop = asyncio.get_running_loop()
    loop.add_reader(connection.fileno(), lambda: speaking.start(speak(connection.recv())))
    await asyncio.Event().wait()


def _arguments(options: argparse.Namespace) -> ServeArgs:
    return ServeArgs(
        model=options.model,
        device="cpu",
        t3=T3Settings(slots=options.slots),
        vocoder=VocoderSettings(slots=options.slots, max_rows=options.max_rows),
    )


async def serve_side(options: argparse.Namespace) -> None:
    """One burst for each line of the input, which is a number of callers."""
    torch.set_num_threads(options.threads)
    args = _arguments(options)
    t3, vocoder = RemoteT3(options), VocoderStage.open(args, "cpu")
    vocoder.start()
    pipeline, card = vocoder.pipeline(t3), model_card(args)
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            sys.stdout.write(json.dumps(await _burst(pipeline, card, int(line))) + "\n")
            sys.stdout.flush()
    finally:
        vocoder.close()
        t3.close()


async def _burst(pipeline: SpeechPipeline, card: ModelCard, num_callers: int) -> dict[str, Any]:
    began_s = time.monotonic()
    heard = await asyncio.gather(*(_hear(pipeline, card, n, began_s) for n in range(num_callers)))
    taken_s = time.monotonic() - began_s
    return {
        "first_ms": [one.first_ms for one in heard],
        "legs_ms": [one.legs_ms for one in heard],
        "audio_s_per_s": sum(one.audio_s for one in heard) / taken_s,
    }


class Heard(NamedTuple):
    """By one caller."""

    first_ms: float
    legs_ms: dict[str, float]
    audio_s: float


async def _hear(pipeline: SpeechPipeline, card: ModelCard, caller: int, began_s: float) -> Heard:
    request = SynthesisRequest(
        SessionKey("default", uuid.uuid4().hex),
        (TEXTS[caller],),
        VoiceRef(card.voices[caller % len(card.voices)]),
        replace(card.defaults, seed=caller),
        is_paced=True,
    )
    first_ms, num_samples = 0.0, 0
    marks: Marks = NO_MARKS
    async with aclosing(pipeline.speak(request)) as chunks:
        async for chunk in chunks:
            if not num_samples and len(chunk.pcm):
                first_ms, marks = (time.monotonic() - began_s) * 1000, chunk.marks
            num_samples += len(chunk.pcm)
    return Heard(first_ms, first_audio_legs(marks), num_samples / SAMPLE_RATE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    for name in ("--threads", "--max_rows", "--slots"):
        parser.add_argument(name, type=int, required=True)
    asyncio.run(serve_side(parser.parse_args()))


if __name__ == "__main__":
    main()
