"""What context, halo, grid, company and cancels beside it do to the words that are understood.

    python -m training.wer_tables --model embedded --voice bela

T3 says every held-out sentence once; each row voices the same tokens otherwise, so that rows differ
by the vocoder alone. `whole` is upstream's way: the whole prefix, in one cell where it fits.
`teacher's tokens` are the tokenizer's of flite's own speech: what a T3 without faults would reach.
Of the sentences' ends: how many T3 ended by itself, and how long they are beside the teacher's.
Last line JSON.
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
    TokenSource,
)
from app.engine.checkpoint.source import open_checkpoint
from app.engine.pipeline import SpeechPipeline
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage
from training.assemble import NAMES
from training.corpus import Sentence, held_out
from training.options import options
from training.synthesise_corpus import flite
from training.tokenizer import codes
from training.word_error_rate import Wav, heard_whole, judge, request_of

CPU = torch.device("cpu")


class Row(NamedTuple):
    settings: Mapping[str, object]
    at_once: int = 4
    cancels: bool = False  # every sentence has a neighbour that is cancelled at its first sound


ROWS: Mapping[str, Row] = {
    "whole": Row({"policy": "full", "first_cell": 100, "max_cell": 250}),
    "full": Row({"policy": "full"}),
    "window": Row({"policy": "window"}),
    "chunked": Row({"policy": "chunked"}),
    "alone": Row({"policy": "window"}, at_once=1),
    "batch of 8": Row({"policy": "window", "max_rows": 8}, at_once=8),
    "neighbours cancelled": Row({"policy": "window", "max_rows": 8}, cancels=True),
    **{f"halo {n}": Row({"policy": "window", "halo_frames": n}) for n in (4, 6, 15)},
    **{f"first cell {n}": Row({"policy": "window", "first_cell": n}) for n in (6, 25)},
    **{f"longest cell {n}": Row({"policy": "window", "max_cell": n}) for n in (25, 100)},
    **{f"left context {n}": Row({"policy": "window", "left_tokens": n}) for n in (0, 12, 50)},
    **{f"prompt {s} s": Row({"policy": "window", "prompt_s": s}) for s in (1.5, 6.0)},
    **{f"{n} Euler steps": Row({"policy": "window", "euler_steps": n}) for n in (2, 6, 10)},
}


class Kept:
    """Each text's tokens, made once. Implements app.core.TokenSource."""

    def __init__(self, source: TokenSource | None = None) -> None:
        self._source = source
        self.said: dict[str, tuple[tuple[int, ...], FinishReason]] = {}

    async def tokens(self, request: TokenRequest) -> AsyncGenerator[SpeechTokens, None]:
        if request.text not in self.said:
            assert self._source is not None, "nobody says this"
            groups = [group async for group in self._source.tokens(request)]
            ids = tuple(token for group in groups for token in group.ids)
            self.said[request.text] = ids, groups[-1].finish or FinishReason.ERROR
        ids, finish = self.said[request.text]
        yield SpeechTokens(request.key, request.segment, 0, ids, finish)


def main() -> None:
    given = options("tables", model="embedded", voice="bela", sentences=100, rows="")
    sentences = held_out()[: given.sentences]
    names = given.rows.split(",") if given.rows else list(ROWS)
    with ProcessPoolExecutor(1) as judges:  # beside the engines
        told = asyncio.run(
            tables(given.model, given.voice, sentences, {n: ROWS[n] for n in names}, judges)
        )
    sys.stdout.write(json.dumps({"tables": given.model, "voice": given.voice, **told}) + "\n")


async def tables(
    model: str,
    voice: str,
    sentences: Sequence[Sentence],
    rows: Mapping[str, Row],
    judges: Executor,
) -> dict[str, object]:
    """Word error rates by row and kind of sentence, and how sentences end."""
    loop, rates = asyncio.get_running_loop(), {}
    (teacher,) = (name for name, ours in NAMES.items() if ours == voice)
    taught = {s.text: flite(s.text, teacher)[0] for s in sentences}
    t3 = T3Stage.open(ServeArgs(model=model), "cpu")
    kept, sampling = Kept(t3), replace(open_checkpoint(model).spec.sampling, seed=1)
    sources = {name: (row, kept) for name, row in rows.items()}
    sources["teacher's tokens"] = ROWS["window"], teachers_tokens(model, taught)
    for name, (row, source) in sources.items():
        args = ServeArgs(model=model, vocoder=VocoderSettings.model_validate(row.settings))
        stage = VocoderStage.open(args, "cpu")
        speaker = Speaker(stage.pipeline(source), voice, sampling)
        wavs = await speaker.say(sentences, row)
        stage.close()
        rates[name] = loop.run_in_executor(judges, rate, sentences, wavs)
        tell(name, rates[name])
    rates["teacher"] = loop.run_in_executor(judges, rate, sentences, taught)
    tell("teacher", rates["teacher"])
    t3.close()
    lengths = [
        len(kept.said[text][0]) / TOKENS_PER_S / (len(wav) / SAMPLE_RATE)
        for text, wav in taught.items()
    ]
    ended = [kept.said[text][1] is FinishReason.STOP for text in taught]
    return {
        "word_error_rate": {name: await waited for name, waited in rates.items()},
        "ended_by_itself": sum(ended) / len(ended),
        "length_beside_teacher": [
            round(float(q), 3) for q in np.quantile(lengths, (0.05, 0.5, 0.95))
        ],
    }


def tell(name: str, rated: "asyncio.Future[dict[str, float]]") -> None:
    rated.add_done_callback(lambda done: sys.stdout.write(f"{name}: {done.result()}\n"))


def rate(sentences: Sequence[Sentence], wavs: Mapping[str, Wav]) -> dict[str, float]:
    return judge(sentences, wavs.__getitem__)


def teachers_tokens(model: str, taught: Mapping[str, Wav]) -> Kept:
    """What the model's own tokenizer hears in the teacher's speech."""
    tokenizer = open_checkpoint(model).load_enrolment(CPU).s3_tokenizer
    kept = Kept()
    for text, wav in taught.items():
        (ids,) = codes(tokenizer, [torch.from_numpy(soxr.resample(wav, SAMPLE_RATE, S3_SR))])
        kept.said[text] = tuple(ids.tolist()), FinishReason.STOP
    return kept


class Speaker:
    def __init__(self, pipeline: SpeechPipeline, voice: str, sampling: SamplingParams) -> None:
        self._pipeline = pipeline
        self._voice = voice
        self._sampling = sampling

    async def say(self, sentences: Sequence[Sentence], row: Row) -> dict[str, Wav]:
        """By text (samples,) at 24 kHz."""
        speak = self._beside_a_cancelled if row.cancels else self._speak
        return await heard_whole(speak, sentences, row.at_once)

    async def _beside_a_cancelled(self, text: str) -> AsyncGenerator[AudioChunk, None]:
        neighbour = asyncio.ensure_future(self._begin(text))
        async for chunk in self._speak(text):
            yield chunk
        await neighbour

    async def _begin(self, text: str) -> None:
        """And leave it at the first sound."""
        spoken = self._speak(text)
        await anext(spoken)
        await spoken.aclose()

    def _speak(self, text: str) -> AsyncGenerator[AudioChunk, None]:
        return self._pipeline.speak(request_of(text, self._voice, self._sampling))


if __name__ == "__main__":
    main()
