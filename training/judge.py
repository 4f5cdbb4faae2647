"""How many words of what a model says are heard wrong, by pocketsphinx, a recogniser that knows
nothing of it.

    python -m training.judge --model checkpoints/embedded
    python -m training.judge --model teacher         # flite itself: what there is to reach

Last line JSON.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import soxr
from numpy.typing import NDArray
from pocketsphinx import Decoder

from app.config import ServeArgs
from app.core import SAMPLE_RATE, SessionKey, SynthesisRequest
from app.engine.synthesizer import LocalSynthesizer
from training.corpus import Sentence, held_out, words_of
from training.options import options
from training.teach import flite

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
    given = options("judge", model="checkpoints/embedded", voices="ada,bela,cleo", sentences=100)
    sentences = held_out()[: given.sentences]
    voices = given.voices.split(",")
    if given.model == "teacher":
        rates = {v: judge(sentences, lambda text, v=v: flite(text, v)[0]) for v in voices}
    else:
        rates = asyncio.run(of_model(given.model, voices, sentences, given.seed))
    sys.stdout.write(json.dumps({"judge": given.model, "word_error_rate": rates}) + "\n")


async def of_model(
    model: str, voices: Sequence[str], sentences: Sequence[Sentence], seed: int
) -> dict[str, dict[str, float]]:
    """Whole utterances, by the real engines in this process."""
    synthesizer = LocalSynthesizer.open(ServeArgs(model=model))
    rates = {}
    for voice in voices:
        said: dict[str, Wav] = {}
        for number, sentence in enumerate(sentences):
            sampling = replace(synthesizer.card().defaults, seed=seed)
            key = SessionKey("judge", f"{voice}-{number}")
            request = SynthesisRequest(key, (sentence.text,), voice, sampling)
            chunks = [chunk.pcm async for chunk in synthesizer.speak(request)]
            said[sentence.text] = np.concatenate(chunks)
        rates[voice] = judge(sentences, said.__getitem__)
    synthesizer.close()
    return rates


if __name__ == "__main__":
    main()
