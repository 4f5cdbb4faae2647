"""Measures the word error rate of a model's speech with the recogniser pocketsphinx.
Pocketsphinx knows nothing about the model.

    python -m training.word_error_rate --model embedded
    python -m training.word_error_rate --model teacher    # flite itself: the floor
    python -m training.word_error_rate --numbers 1        # sentences with numbers, in each form
    python -m training.word_error_rate --t3 '{"dtype": "int8"}' --vocoder '{"dtype": "int8"}'

The last line is JSON.
"""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from pocketsphinx import Decoder

from app.config import ServeArgs
from app.core import (
    SAMPLE_RATE,
    AudioChunk,
    SamplingParams,
    SessionKey,
    SynthesisRequest,
    VoiceRef,
)
from app.engine.synthesizer import LocalSynthesizer
from app.text.plan import TextRules, plan_text
from training.corpus import NumberSentence, Sentence, held_out, with_numbers, words_of
from training.options import Options, parse_options
from training.synthesise_corpus import flite

RECOGNISER_HZ = 16_000
PEAK = 0.7
LOUD = 99.9  # this percentile becomes the peak, so that one click does not mute the rest
PAUSE_S = 0.3  # of silence before and after

Wav = NDArray[np.float32]
Speak = Callable[[str], Wav]


def recognise(decoder: Decoder, wav: Wav) -> tuple[str, ...]:
    """The words in (samples,) at 24 kHz."""
    if not len(wav):
        return ()
    loud = float(np.percentile(np.abs(wav), LOUD)) or 1.0
    sound = soxr.resample(np.clip(wav * (PEAK / loud), -1, 1), SAMPLE_RATE, RECOGNISER_HZ)
    sound = np.pad(sound, round(PAUSE_S * RECOGNISER_HZ))
    decoder.start_utt()
    decoder.process_raw((sound * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    hypothesis = decoder.hyp()
    return words_of(hypothesis.hypstr) if hypothesis else ()


def word_errors(spoken: Sequence[str], recognised: Sequence[str]) -> int:
    """Substitutions, insertions and deletions: the Levenshtein distance of words."""
    row = list(range(len(recognised) + 1))
    for at, word in enumerate(spoken, start=1):
        diagonal, row[0] = row[0], at
        for to, other in enumerate(recognised, start=1):
            diagonal, row[to] = (
                row[to],
                min(diagonal + (word != other), row[to] + 1, row[to - 1] + 1),
            )
    return row[-1]


def word_error_rates(sentences: Sequence[Sentence], speak: Speak) -> dict[str, float]:
    """The word error rate of each kind of sentence, and of all."""
    decoder = Decoder(samprate=RECOGNISER_HZ, loglevel="FATAL")
    wrong: dict[str, int] = {}
    total: dict[str, int] = {}
    for sentence in sentences:
        words = words_of(sentence.text)
        errors = word_errors(words, recognise(decoder, speak(sentence.text)))
        for kind in (sentence.kind, "all"):
            wrong[kind] = wrong.get(kind, 0) + errors
            total[kind] = total.get(kind, 0) + len(words)
    return {kind: round(wrong[kind] / total[kind], 4) for kind in total}


def as_normalised(sentence: NumberSentence) -> str:
    return " ".join(plan_text(sentence.written, TextRules(language="en")).segments)


FORMS: Mapping[str, Callable[[NumberSentence], str]] = {  # what the model gets
    "as written": lambda sentence: sentence.written,
    "normalised": as_normalised,
    "in words": lambda sentence: sentence.spoken,  # what a perfect normalisation gives
}


def rates_by_form(sentences: Sequence[NumberSentence], speak: Speak) -> dict[str, float]:
    """The word error rate of each form. The words to be heard are the same in all."""
    return {form: _rate_of_form(form, sentences, speak) for form in FORMS}


def _rate_of_form(form: str, sentences: Sequence[NumberSentence], speak: Speak) -> float:
    texts = {sentence.spoken: FORMS[form](sentence) for sentence in sentences}
    words = [Sentence(form, spoken) for spoken in texts]
    return word_error_rates(words, lambda spoken: speak(texts[spoken]))[form]


def texts_of_forms(sentences: Sequence[NumberSentence]) -> list[Sentence]:
    """Each text once."""
    texts = (text_of(sentence) for text_of in FORMS.values() for sentence in sentences)
    return [Sentence("numbers", text) for text in dict.fromkeys(texts)]


def main() -> None:
    options = parse_options(
        "word_error_rate",
        model="embedded",
        voices="ada,bela,cleo",
        sentences=100,
        numbers=0,  # 1: those of with_numbers.txt instead, in each form
        at_once=4,
        t3="{}",  # T3Settings as JSON
        vocoder="{}",  # VocoderSettings as JSON
        sampling="{}",  # SamplingParams as JSON; the others are the model's defaults
    )
    sentences = held_out()[: options.sentences]
    rate: Callable[[Speak], dict[str, float]] = partial(word_error_rates, sentences)
    if options.numbers:
        numbers = with_numbers()[: options.sentences]
        sentences, rate = texts_of_forms(numbers), partial(rates_by_form, numbers)
    voices = options.voices.split(",")
    if options.model == "teacher":
        rates = {voice: rate(partial(speak_as_teacher, voice)) for voice in voices}
    else:
        args = serve_args(options)
        sampling = {"seed": options.seed, **json.loads(options.sampling)}
        rates = asyncio.run(
            rate_model(args, voices, sentences, sampling, at_once=options.at_once, rate=rate)
        )
    line = {
        "model": options.model,
        "t3": options.t3,
        "vocoder": options.vocoder,
        "sampling": options.sampling,
        "word_error_rate": rates,
    }
    sys.stdout.write(json.dumps(line) + "\n")


def serve_args(options: Options) -> ServeArgs:
    """Of a stage with the options model, t3 and vocoder."""
    settings = {"t3": json.loads(options.t3), "vocoder": json.loads(options.vocoder)}
    return ServeArgs.model_validate({"model": options.model, **settings})


def speak_as_teacher(voice: str, text: str) -> Wav:
    return flite(text, voice)[0]


async def rate_model(
    args: ServeArgs,
    voices: Sequence[str],
    sentences: Sequence[Sentence],
    sampling: Mapping[str, Any],
    *,
    at_once: int,
    rate: Callable[[Speak], dict[str, float]],
) -> dict[str, dict[str, float]]:
    """The real engines in this process speak whole utterances, `at_once` at the same time. `rate`
    gets a function that gives the sound of a sentence."""
    synthesizer = LocalSynthesizer.open(args)
    by_voice = {
        voice: await synthesise(synthesizer, VoiceRef(voice), sentences, sampling, at_once)
        for voice in voices
    }
    synthesizer.close()
    return {voice: rate(wavs.__getitem__) for voice, wavs in by_voice.items()}


async def synthesise(
    synthesizer: LocalSynthesizer,
    voice: VoiceRef,
    sentences: Sequence[Sentence],
    sampling: Mapping[str, Any],
    at_once: int,
) -> dict[str, Wav]:
    """The audio of each text, (samples,) at 24 kHz."""
    params = replace(synthesizer.card().defaults, **sampling)

    def speak(text: str) -> AsyncGenerator[AudioChunk, None]:
        return synthesizer.speak(request_of(text, voice, params))

    return await collect_utterances(speak, sentences, at_once)


def request_of(text: str, voice: VoiceRef, params: SamplingParams) -> SynthesisRequest:
    """Each request is a session of its own."""
    return SynthesisRequest(SessionKey("word-error-rate", uuid.uuid4().hex), (text,), voice, params)


async def collect_utterances(
    speak: Callable[[str], AsyncGenerator[AudioChunk, None]],
    sentences: Sequence[Sentence],
    at_once: int,
) -> dict[str, Wav]:
    """The audio of each text, (samples,) at 24 kHz."""
    free = asyncio.Semaphore(at_once)

    async def one(text: str) -> Wav:
        async with free:
            return np.concatenate([chunk.pcm async for chunk in speak(text)])

    texts = [sentence.text for sentence in sentences]
    return dict(zip(texts, await asyncio.gather(*map(one, texts)), strict=True))


if __name__ == "__main__":
    main()
