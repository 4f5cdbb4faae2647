"""How many words of what a model says are heard wrong, by pocketsphinx, a recogniser that knows
nothing of it.

    python -m training.word_error_rate --model embedded
    python -m training.word_error_rate --model teacher              # flite itself: what there is to reach

Last line JSON.
"""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from pocketsphinx import Decoder

from app.config import ServeArgs
from app.core import SAMPLE_RATE, AudioChunk, SamplingParams, SessionKey, SynthesisRequest
from app.engine.synthesizer import LocalSynthesizer
from training.corpus import Sentence, held_out, words_of
from training.options import options
from training.synthesise_corpus import flite

JUDGE_HZ = 16_000
PEAK = 0.7
LOUD = 99.9  # percentile that becomes the peak: one click does not mute the rest
PAUSE_S = 0.3  # before and after

Wav = NDArray[np.float32]


def heard(decoder: Decoder, wav: Wav) -> tuple[str, ...]:
    """What is understood of (samples,) at 24 kHz."""
    if not len(wav):
        return ()
    loud = float(np.percentile(np.abs(wav), LOUD)) or 1.0
    sound = soxr.resample(np.clip(wav * (PEAK / loud), -1, 1), SAMPLE_RATE, JUDGE_HZ)
    sound = np.pad(sound, round(PAUSE_S * JUDGE_HZ))
    decoder.start_utt()
    decoder.process_raw((sound * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return words_of(hypothesis.hypstr) if hypothesis else ()


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Substitutions, insertions and deletions: Levenshtein's distance of words."""
    row = list(range(len(heard) + 1))
    for at, word in enumerate(said, start=1):
        diagonal, row[0] = row[0], at
        for to, other in enumerate(heard, start=1):
            diagonal, row[to] = (
                row[to],
                min(diagonal + (word != other), row[to] + 1, row[to - 1] + 1),
            )
    return row[-1]


def judge(sentences: Sequence[Sentence], speak: Callable[[str], Wav]) -> dict[str, float]:
    """Word error rate by kind, and over all."""
    decoder = Decoder(samprate=JUDGE_HZ, loglevel="FATAL")
    wrong: dict[str, int] = {}
    total: dict[str, int] = {}
    for sentence in sentences:
        said = words_of(sentence.text)
        errors = word_errors(said, heard(decoder, speak(sentence.text)))
        for kind in (sentence.kind, "all"):
            wrong[kind] = wrong.get(kind, 0) + errors
            total[kind] = total.get(kind, 0) + len(said)
    return {kind: round(wrong[kind] / total[kind], 4) for kind in total}


def main() -> None:
    given = options(
        "judge",
        model="embedded",
        voices="ada,bela,cleo",
        sentences=100,
        at_once=4,
        vocoder="{}",  # settings, as in a server's config
        sampling="{}",  # what differs from the model's defaults
    )
    sentences = held_out()[: given.sentences]
    voices = given.voices.split(",")
    if given.model == "teacher":
        rates = {v: judge(sentences, lambda text, v=v: flite(text, v)[0]) for v in voices}
    else:
        args = ServeArgs(model=given.model, vocoder=json.loads(given.vocoder))
        sampling = {"seed": given.seed, **json.loads(given.sampling)}
        rates = asyncio.run(of_model(args, voices, sentences, sampling, given.at_once))
    told = {"vocoder": given.vocoder, "sampling": given.sampling, "word_error_rate": rates}
    sys.stdout.write(json.dumps({"judge": given.model, **told}) + "\n")


async def of_model(
    args: ServeArgs,
    voices: Sequence[str],
    sentences: Sequence[Sentence],
    sampling: Mapping[str, Any],
    at_once: int,
) -> dict[str, dict[str, float]]:
    """Whole utterances, some at once, by the real engines in this process."""
    synthesizer = LocalSynthesizer.open(args)
    said = {
        voice: await spoken(synthesizer, voice, sentences, sampling, at_once) for voice in voices
    }
    synthesizer.close()
    return {voice: judge(sentences, wavs.__getitem__) for voice, wavs in said.items()}


async def spoken(
    synthesizer: LocalSynthesizer,
    voice: str,
    sentences: Sequence[Sentence],
    sampling: Mapping[str, Any],
    at_once: int,
) -> dict[str, Wav]:
    """By text (samples,) at 24 kHz."""
    params = replace(synthesizer.card().defaults, **sampling)

    def speak(text: str) -> AsyncGenerator[AudioChunk, None]:
        return synthesizer.speak(request_of(text, voice, params))

    return await heard_whole(speak, sentences, at_once)


def request_of(text: str, voice: str, params: SamplingParams) -> SynthesisRequest:
    """A session of its own."""
    return SynthesisRequest(SessionKey("judge", uuid.uuid4().hex), (text,), voice, params)


async def heard_whole(
    speak: Callable[[str], AsyncGenerator[AudioChunk, None]],
    sentences: Sequence[Sentence],
    at_once: int,
) -> dict[str, Wav]:
    """By text (samples,) at 24 kHz."""
    free = asyncio.Semaphore(at_once)

    async def one(text: str) -> Wav:
        async with free:
            return np.concatenate([chunk.pcm async for chunk in speak(text)])

    texts = [sentence.text for sentence in sentences]
    return dict(zip(texts, await asyncio.gather(*map(one, texts)), strict=True))


if __name__ == "__main__":
    main()
