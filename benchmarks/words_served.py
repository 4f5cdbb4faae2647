"""Measures the times of words that a running server tells, against a forced alignment of the sound
that it sends.

    python benchmarks/words_served.py --url http://127.0.0.1:8000 --sentences 30 --cancels 200

Speaks held-out sentences as events in several formats and speeds, and texts with pauses and
numbers. Then it cancels speech at random moments over a socket, with a random playout clock, and
compares what the server says was heard with the words that end by then in the alignment, and with
those of which half is over. The last line is one JSON object.
"""

import argparse
import asyncio
import json
import random
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.client.speech_client import key_headers
from benchmarks.forced_alignment import Heard
from benchmarks.heard_cuts import Aligned, agreement, cut
from benchmarks.measure import quantile, say
from benchmarks.players import first_voice
from benchmarks.told_words import PCM, Reference, Spoken, speak
from benchmarks.word_errors import Errors
from training.corpus import held_out, with_numbers

ROWS = ((PCM, 1.0), (PCM, 1.5), ("mp3", 1.0), ("mp3", 1.5), ("opus", 1.0), ("opus", 1.5))
PAUSE = "[pause:0.4s] "


def main() -> None:
    options = parse(sys.argv[1:])
    result = asyncio.run(_measure(options.url, options.sentences, options.cancels))
    say(json.dumps({"benchmark": "words-served", "sentences": options.sentences, **result}))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--sentences", type=int, default=30, help="of each row; at most 100")
    parser.add_argument("--cancels", type=int, default=200)
    options = parser.parse_args(arguments)
    if not 1 <= options.sentences <= 100:
        parser.error("--sentences must be in 1..100")
    return options


async def _measure(url: str, num_sentences: int, num_cancels: int) -> Mapping[str, object]:
    reference, rows = Reference(), dict[str, Mapping[str, Any]]()
    texts = [sentence.text for sentence in held_out()[:num_sentences]]
    numbers = [PAUSE + sentence.written for sentence in with_numbers()[:num_sentences]]
    async with httpx.AsyncClient(base_url=url, timeout=120, headers=key_headers()) as client:
        model, voice = await first_voice(client)
        speech: dict[str, Any] = {"model": model, "voice": voice, "response_format": PCM}
        for name, speed in ROWS:
            options = {**speech, "response_format": name, "speed": speed}
            rows[f"{name}, speed {speed:g}"] = await _row(client, reference, texts, options)
        rows["pauses and numbers"] = await _row(client, reference, numbers, speech)
        for row, figures in rows.items():
            say(f"{row}: {json.dumps(figures)}")
        pairs = [pair async for pair in _aligned(client, reference, texts, speech)]
    known = [
        Aligned(spoken.text, seed, words)
        for seed, (spoken, words) in enumerate(pairs)
        if words is not None
    ]
    rng = random.Random(1)
    cuts = [await cut(url, voice, known[num % len(known)], rng) for num in range(num_cancels)]
    return {"rows": rows, "cancels": agreement(cuts)}


async def _row(
    client: httpx.AsyncClient,
    reference: Reference,
    texts: Sequence[str],
    options: Mapping[str, Any],
) -> Mapping[str, Any]:
    errors, early_ms, num_words, num_not_aligned = Errors(), list[float](), 0, 0
    async for spoken, words in _aligned(client, reference, texts, options):
        early_ms += spoken.early_ms
        num_not_aligned += words is None
        for place, heard in (words or {}).items():
            told = spoken.words.get(place)
            if told is not None and told.end_ms is not None:
                num_words += 1
                errors.add(Heard("", told.start_ms, told.end_ms), heard)
    counts = {"words": num_words, "not_aligned": num_not_aligned}
    return {**counts, **errors.row(), "told_early_ms_p50": quantile(early_ms, 0.5)}


async def _aligned(
    client: httpx.AsyncClient,
    reference: Reference,
    texts: Sequence[str],
    options: Mapping[str, Any],
) -> AsyncGenerator[tuple[Spoken, Mapping[int, Heard] | None], None]:
    """The seed of each text is its number."""
    for seed, text in enumerate(texts):
        spoken = await speak(client, text, {**options, "seed": seed})
        yield spoken, reference.words(spoken)


if __name__ == "__main__":
    main()
