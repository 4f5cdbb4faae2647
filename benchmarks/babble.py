"""Measures how many segments that do not follow their text are found, and how many that do.

    python benchmarks/babble.py --utterances 200

Speech with repetitions and skips is made by the model itself: it speaks a text in which some words
stand twice, or are left out. These tokens are then read beside the text as it should be: the path
of T3's attention through that text is what the engine would follow if it drew them. A tail is
speech of another text after the last word. The last line is one JSON object. Needs no Ray and no
vocoder.
"""

import argparse
import json
import random
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script from a checkout

from app.core import SessionKey
from app.engine.checkpoint.source import Checkpoint, open_checkpoint
from app.engine.checkpoint.text_origins import word_ids
from app.engine.t3.alignment_heads import AlignmentHeads
from app.engine.t3.calibration import calibrate, paths_of
from app.engine.t3.engine import TokenEngine
from app.engine.t3.find_heads import find_heads
from app.engine.t3.guards import is_babbling
from app.engine.t3.model import T3Model
from app.engine.t3.sequence import SequenceRequest
from app.engine.t3.spoken_words import SpokenWords
from app.engine.t3.teacher_forcing import Spoken, read
from app.engine.warmup import warm_up
from app.t3_settings import GuardSettings, T3Settings
from app.word_marks import WordSpan
from benchmarks.measure import say
from training.corpus import held_out

CPU = torch.device("cpu")
AT_ONCE = 16
TAIL_TOKENS = 40  # of another text
KINDS = (
    "good",
    "repeated-1",
    "repeated-2",
    "repeated-3",
    "skipped-1",
    "skipped-2",
    "skipped-3",
    "tail",
)
BOUNDS = {"tail_tokens": 20, "still_tokens": 20, "fallen_tokens": 2, "jumped_tokens": 1}
NUM_KEPT = 3  # words before, between and behind those that are repeated or skipped, in all


class Case(NamedTuple):
    kind: str
    text: str
    said: str
    voice: str
    seed: int


class Reader:
    """One model, its head, and the guards that are tried."""

    def __init__(self, checkpoint: Checkpoint, guards: GuardSettings) -> None:
        spec = checkpoint.spec
        self._spec = spec
        self._guards = guards
        self._tokenizer = checkpoint.tokenizer()
        self._model = T3Model(
            spec.t3, checkpoint.t3_weights(CPU, torch.float32), CPU, torch.float32
        )
        self._voices = {name: checkpoint.conditionals(name).t3 for name in checkpoint.voices()}
        self._heads = find_heads(checkpoint.model, T3Settings(), self._calibrate)
        self._engine = TokenEngine(self._model, T3Settings(slots=AT_ONCE, max_lead_s=1e6))

    def _calibrate(self) -> AlignmentHeads:
        voice = next(iter(self._voices.values()))
        return calibrate(self._model, self._spec, self._tokenizer, voice)

    def is_found(self, cases: Sequence[Case]) -> list[bool]:
        """Of at most AT_ONCE cases."""
        sequences = [
            self._engine.prepare(self._request(case, case.said, number))
            for number, case in enumerate(cases)
        ]
        warm_up(self._engine, sequences)
        tails = [sequence.codec_ids for sequence in sequences[1:] + sequences[:1]]
        found = []
        for case, sequence, tail in zip(cases, sequences, tails, strict=True):
            ids = sequence.codec_ids + (tail[:TAIL_TOKENS] if case.kind == "tail" else [])
            found.append(self._strays(self._request(case, case.text, 0), ids))
        return found

    def _request(self, case: Case, text: str, number: int) -> SequenceRequest:
        placed = self._tokenizer.place(text, None)
        spans = [WordSpan(*match.span()) for match in re.finditer(r"\S+", text)]
        return SequenceRequest(
            SessionKey("benchmark", f"{case.kind}-{number}"),
            0,
            placed.ids,
            self._voices[case.voice],
            replace(self._spec.sampling, seed=case.seed),
            words=word_ids(text, spans, placed.origins),
        )

    @torch.inference_mode()
    def _strays(self, request: SequenceRequest, ids: list[int]) -> bool:
        shares = read(self._model, Spoken(request, torch.tensor(ids))).shares.numpy()
        (head,) = self._heads.heads
        path = paths_of(shares[:, head.layer :, head.head :][:, :1, :1])[:, 0, 0].tolist()
        words = SpokenWords(request.words, self._heads.offset_tokens)
        strays = False
        for token, text_id in enumerate(path):
            words.reach(token, text_id)
            strays |= is_babbling(words, self._guards)
        return strays or words.num_skipped > 0


def main() -> None:
    options = parse(sys.argv[1:])
    bounds = {name: getattr(options, name) for name in BOUNDS}
    guards = GuardSettings(**bounds)
    checkpoint = open_checkpoint(options.model)
    reader = Reader(checkpoint, guards)
    cases = [
        case for kind in KINDS for case in _cases(kind, options.utterances, checkpoint.voices())
    ]
    found: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    for first in range(0, len(cases), AT_ONCE):
        part = cases[first : first + AT_ONCE]
        for case, is_found in zip(part, reader.is_found(part), strict=True):
            found[case.kind].append(is_found)
    rows = {kind: _share(each) for kind, each in found.items()}
    for kind, share in rows.items():
        say(f"{kind}: {100 * share:.1f} % of {len(found[kind])}")
    result = {
        "benchmark": "babble",
        "model": options.model,
        "utterances": options.utterances,
        **bounds,
        "false_alarms": rows.pop("good"),
        "found": rows,
    }
    say(json.dumps(result))


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="embedded", help="a model, as in serve_config.yaml")
    parser.add_argument("--utterances", type=int, default=200, help="of each kind")
    for name, default in BOUNDS.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=int, default=default, help="as in t3.guards")
    options = parser.parse_args(arguments)
    if options.utterances < 1:
        parser.error("--utterances must be 1 or more")
    return options


def _cases(kind: str, num: int, voices: Sequence[str]) -> Iterator[Case]:
    chosen = random.Random(kind)
    texts = [sentence.text for sentence in held_out()]
    _, _, num_words = kind.partition("-")
    fits = [text for text in texts if len(text.split()) >= int(num_words or 0) + NUM_KEPT]
    for number in range(num):
        text = fits[number % len(fits)]
        voice = voices[number // len(fits) % len(voices)]
        yield Case(kind, text, _said(kind, text, chosen), voice, number)


def _said(kind: str, text: str, chosen: random.Random) -> str:
    verb, _, count = kind.partition("-")
    words, num = text.split(), int(count or 0)
    if not num:
        return text
    at = chosen.randrange(1, len(words) - num)
    again = 2 if verb == "repeated" else 0
    return " ".join(words[:at] + again * words[at : at + num] + words[at + num :])


def _share(found: Sequence[bool]) -> float:
    return round(sum(found) / len(found), 4)


if __name__ == "__main__":
    main()
