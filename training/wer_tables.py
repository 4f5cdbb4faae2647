"""Measures how the settings of the vocoder change the word error rate: context, halo, cells, batch
size, and cancelled neighbours.

    python -m training.wer_tables --model embedded --voice bela

T3 speaks every held-out sentence once. Each row vocodes the same tokens with other settings, so
that rows differ by the vocoder alone. `whole` is upstream's way: the whole prefix as context, in
one cell if it fits. `teacher's tokens` are the tokens of flite's own speech: the floor that a
perfect T3 would reach. The output also says how many sentences T3 ended by itself, and how long
they are relative to the teacher's. The last line is JSON.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import soxr
import torch
from chatterbox.models.s3tokenizer import S3_SR

from app.config import ServeArgs, VocoderSettings
from app.core import (
    SAMPLE_RATE,
    TOKENS_PER_S,
    AudioChunk,
    FinishReason,
    SamplingParams,
    SpeechTokens,
    TokenRequest,
    VoiceRef,
)
from app.engine.checkpoint.source import open_checkpoint
from app.engine.pipeline import SpeechPipeline, TokenSource
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage
from training.assemble import NAMES
from training.corpus import Sentence, held_out
from training.options import parse_options
from training.synthesise_corpus import flite
from training.tokenizer import tokenise
from training.word_error_rate import Wav, collect_utterances, request_of, word_error_rates

CPU = torch.device("cpu")


class Row(NamedTuple):
    settings: Mapping[str, object]
    at_once: int = 4
    cancels: bool = False  # each sentence has a neighbour that is cancelled at its first audio


ROWS: Mapping[str, Row] = {
    "whole": Row({"policy": "full", "cells": (100, 200, 250)}),
    "full": Row({"policy": "full"}),
    "window": Row({"policy": "window"}),
    "chunked": Row({"policy": "chunked"}),
    "alone": Row({"policy": "window"}, at_once=1),
    "batch of 8": Row({"policy": "window", "max_rows": 8}, at_once=8),
    "neighbours cancelled": Row({"policy": "window", "max_rows": 8}, cancels=True),
    **{f"halo {n}": Row({"policy": "window", "halo_frames": n}) for n in (4, 6, 15)},
    "first cell 6": Row({"policy": "window", "cells": (6, 12, 24, 48, 50)}),
    "first cell 25": Row({"policy": "window", "cells": (25, 50)}),
    "longest cell 25": Row({"policy": "window", "cells": (13, 25)}),
    "longest cell 100": Row({"policy": "window", "cells": (13, 26, 52, 100)}),
    **{f"left context {n}": Row({"policy": "window", "left_tokens": n}) for n in (0, 12, 50)},
    **{f"prompt {s} s": Row({"policy": "window", "prompt_s": s}) for s in (1.5, 6.0)},
    **{f"{n} Euler steps": Row({"policy": "window", "euler_steps": n}) for n in (2, 6, 10)},
}


class CachedTokens:
    """Generates the tokens of each text once. Implements app.core.TokenSource."""

    def __init__(self, source: TokenSource | None = None) -> None:
        self._source = source
        self.by_text: dict[str, tuple[tuple[int, ...], FinishReason]] = {}

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        if request.text not in self.by_text:
            assert self._source is not None, "this text has no tokens"
            groups = [group async for group in self._source.tokens(request)]
            ids = tuple(token for group in groups for token in group.ids)
            self.by_text[request.text] = ids, groups[-1].finish or FinishReason.ERROR
        ids, finish = self.by_text[request.text]
        yield SpeechTokens(request.key, request.segment, 0, ids, finish)


def main() -> None:
    options = parse_options("wer_tables", model="embedded", voice="bela", sentences=100, rows="")
    sentences = held_out()[: options.sentences]
    names = options.rows.split(",") if options.rows else list(ROWS)
    with ProcessPoolExecutor(1) as recogniser:  # runs while the engines speak the next row
        figures = asyncio.run(
            rate_rows(
                options.model, options.voice, sentences, {n: ROWS[n] for n in names}, recogniser
            )
        )
    line = {"model": options.model, "voice": options.voice, **figures}
    sys.stdout.write(json.dumps(line) + "\n")


async def rate_rows(
    model: str,
    voice: str,
    sentences: Sequence[Sentence],
    rows: Mapping[str, Row],
    recogniser: Executor,
) -> dict[str, object]:
    """Word error rates by row and kind of sentence, and the ends of the sentences."""
    loop, rates = asyncio.get_running_loop(), {}
    (teacher,) = (name for name, ours in NAMES.items() if ours == voice)
    by_teacher = {s.text: flite(s.text, teacher)[0] for s in sentences}
    t3 = T3Stage.open(ServeArgs(model=model), "cpu")
    t3.start()
    tokens, sampling = CachedTokens(t3), replace(open_checkpoint(model).spec.sampling, seed=1)
    sources = {name: (row, tokens) for name, row in rows.items()}
    sources["teacher's tokens"] = ROWS["window"], teacher_tokens(model, by_teacher)
    for name, (row, source) in sources.items():
        args = ServeArgs(model=model, vocoder=VocoderSettings.model_validate(row.settings))
        stage = VocoderStage.open(args, "cpu")
        stage.start()
        speaker = Speaker(stage.pipeline(source), VoiceRef(voice), sampling)
        wavs = await speaker.say(sentences, row)
        stage.close()
        rates[name] = loop.run_in_executor(recogniser, rate, sentences, wavs)
        print_when_done(name, rates[name])
    rates["teacher"] = loop.run_in_executor(recogniser, rate, sentences, by_teacher)
    print_when_done("teacher", rates["teacher"])
    t3.close()
    lengths = [
        len(tokens.by_text[text][0]) / TOKENS_PER_S / (len(wav) / SAMPLE_RATE)
        for text, wav in by_teacher.items()
    ]
    ended = [tokens.by_text[text][1] is FinishReason.STOP for text in by_teacher]
    return {
        "word_error_rate": {name: await future for name, future in rates.items()},
        "ended_by_itself": sum(ended) / len(ended),
        "relative_length": [round(float(q), 3) for q in np.quantile(lengths, (0.05, 0.5, 0.95))],
    }


def print_when_done(name: str, rates: "asyncio.Future[dict[str, float]]") -> None:
    rates.add_done_callback(lambda done: sys.stdout.write(f"{name}: {done.result()}\n"))


def rate(sentences: Sequence[Sentence], wavs: Mapping[str, Wav]) -> dict[str, float]:
    return word_error_rates(sentences, wavs.__getitem__)


def teacher_tokens(model: str, by_teacher: Mapping[str, Wav]) -> CachedTokens:
    """The tokens of the teacher's speech, by the model's own tokenizer."""
    tokenizer = open_checkpoint(model).load_enrolment(CPU).s3_tokenizer
    tokens = CachedTokens()
    for text, wav in by_teacher.items():
        (ids,) = tokenise(tokenizer, [torch.from_numpy(soxr.resample(wav, SAMPLE_RATE, S3_SR))])
        tokens.by_text[text] = tuple(ids.tolist()), FinishReason.STOP
    return tokens


class Speaker:
    def __init__(self, pipeline: SpeechPipeline, voice: VoiceRef, sampling: SamplingParams) -> None:
        self._pipeline = pipeline
        self._voice = voice
        self._sampling = sampling

    async def say(self, sentences: Sequence[Sentence], row: Row) -> dict[str, Wav]:
        """The audio of each text, (samples,) at 24 kHz."""
        speak = self._speak_beside_cancelled if row.cancels else self._speak
        return await collect_utterances(speak, sentences, row.at_once)

    async def _speak_beside_cancelled(self, text: str) -> AsyncGenerator[AudioChunk, None]:
        neighbour = asyncio.ensure_future(self._cancel_at_first_audio(text))
        async for chunk in self._speak(text):
            yield chunk
        await neighbour

    async def _cancel_at_first_audio(self, text: str) -> None:
        chunks = self._speak(text)
        await anext(chunks)
        await chunks.aclose()

    def _speak(self, text: str) -> AsyncGenerator[AudioChunk, None]:
        return self._pipeline.speak(request_of(text, self._voice, self._sampling))


if __name__ == "__main__":
    main()
