"""Measures the times of words against a forced alignment of the finished sound.

    python benchmarks/words.py --sentences 100

Speaks held-out sentences in every voice of the model. The error of a word's start or end is its
time less the reference's. The median of the errors, and the spread around the median (its p50 and
p90), are printed beside those of the control: the characters spread evenly over the sound. The last
line is one JSON object. Needs no Ray.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.config import ServeArgs
from app.core import SAMPLE_RATE, SessionKey, SynthesisRequest, VoiceRef
from app.engine.synthesizer import LocalSynthesizer
from app.text.word_breaks import words
from app.word_marks import WordSpan, WordTime
from benchmarks.forced_alignment import Aligner, Heard
from benchmarks.measure import quantile, say
from benchmarks.word_errors import Errors
from training.corpus import held_out


@dataclass(frozen=True, slots=True)
class Spoken:
    text: str
    spans: tuple[WordSpan, ...]
    pcm: NDArray[np.float32]
    times: Mapping[int, WordTime]  # the newest of each word
    early_ms: list[float]  # how much sound had been sent when a word was known, before its own


def main() -> None:
    options = parse(sys.argv[1:])
    synthesizer = LocalSynthesizer.open(ServeArgs(model=options.model))
    try:
        result = asyncio.run(_measure(synthesizer, options.sentences))
    finally:
        synthesizer.close()
    say(json.dumps({"benchmark": "words", "model": options.model, **result}))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="embedded", help="a model, as in serve_config.yaml")
    parser.add_argument("--sentences", type=int, default=100, help="in each voice; at most 100")
    options = parser.parse_args(arguments)
    if not 1 <= options.sentences <= 100:
        parser.error("--sentences must be in 1..100")
    return options


async def _measure(synthesizer: LocalSynthesizer, num_sentences: int) -> Mapping[str, object]:
    aligner, control, by_voice = Aligner(), Errors(), dict[str, Errors]()
    early_ms: list[float] = []
    counts = {"words": 0, "without_mark": 0, "not_aligned": 0, "estimated": 0}
    for voice in synthesizer.card().voices:
        errors = by_voice[voice] = Errors()
        for number, sentence in enumerate(held_out()[:num_sentences]):
            spoken = await _speak(synthesizer, sentence.text, voice, number)
            early_ms += spoken.early_ms
            _compare(spoken, aligner, errors, control, counts)
        say(f"{voice}: {json.dumps(errors.row())}")
    every = Errors()
    for errors in by_voice.values():
        every.start += errors.start
        every.end += errors.end
    say(f"proportional: {json.dumps(control.row())}")
    return {
        "sentences": num_sentences,
        **counts,
        **every.row(),
        "known_early_ms_p50": quantile(early_ms, 0.5),
        "voices": {voice: errors.row() for voice, errors in by_voice.items()},
        "proportional": control.row(),
    }


async def _speak(synthesizer: LocalSynthesizer, text: str, voice: str, number: int) -> Spoken:
    card = synthesizer.card()
    spans = tuple(WordSpan(*span) for span in words(text))
    request = SynthesisRequest(
        SessionKey("benchmark", f"{voice}-{number}"),
        (text,),
        VoiceRef(voice),
        replace(card.defaults, seed=number),
        card.languages[0] if card.languages else None,
        words=(spans,),
    )
    parts, times, early_ms = [], dict[int, WordTime](), list[float]()
    async with aclosing(synthesizer.speak(request)) as chunks:
        async for chunk in chunks:
            for time in chunk.words:
                if time.word not in times:
                    early_ms.append(1e3 * (time.start - chunk.start) / SAMPLE_RATE)
                times[time.word] = time
            parts.append(chunk.pcm)
    return Spoken(text, spans, np.concatenate(parts), times, early_ms)


def _compare(
    spoken: Spoken, aligner: Aligner, errors: Errors, control: Errors, counts: dict[str, int]
) -> None:
    said = [spoken.text[slice(*span)] for span in spoken.spans]
    references = aligner.align(spoken.pcm, SAMPLE_RATE, said)
    if references is None:
        counts["not_aligned"] += 1
        return
    for word, (reference, even) in enumerate(zip(references, _spread_evenly(spoken), strict=True)):
        time = spoken.times.get(word)
        counts["words"] += 1
        control.add(even, reference)
        if time is None or time.end is None:
            counts["without_mark"] += 1
            continue
        counts["estimated"] += time.is_estimate
        errors.add(Heard("", _ms(time.start), _ms(time.end)), reference)


def _spread_evenly(spoken: Spoken) -> Iterator[Heard]:
    """Every character of the text takes the same time."""
    each_ms = _ms(len(spoken.pcm)) / len(spoken.text)
    return (Heard("", span.start * each_ms, span.end * each_ms) for span in spoken.spans)


def _ms(num_samples: int) -> float:
    return 1e3 * num_samples / SAMPLE_RATE


if __name__ == "__main__":
    main()
