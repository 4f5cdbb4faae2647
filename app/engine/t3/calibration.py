"""Finds the attention head of a T3 that walks along the text, and how far ahead of the sound.

The model speaks a few sentences. Of each head, the best path through the text is followed. The
score of a head is the mean attention on its path. Then words of the text are changed, one by one:
the tokens that the model finds less likely after that are those of the word. The head's offset is
the time between the moment in which its path reaches a word and the word's first token.

No reference is needed: on `embedded` these first tokens are where a forced alignment of the sound
begins the word, 0 ms off at the median, 40 ms at the ninth decile (147 words, 2026-11-30).
The offsets found in its three voices are 49 to 63 ms, and 50 ms by that alignment.
"""

import re
import time
from collections.abc import Iterator
from collections.abc import Sequence as Seq
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from app.core import SessionKey
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.text_origins import word_ids
from app.engine.checkpoint.tokenizer import TextTokenizer
from app.engine.conditionals import T3Conditionals
from app.engine.t3.alignment_heads import MS_PER_TOKEN, NO_HEADS, AlignmentHeads, Head
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from app.engine.t3.sequence import SequenceRequest
from app.engine.t3.teacher_forcing import Spoken, read
from app.engine.t3.text_paths import (
    BEFORE_TEXT,
    MAX_ADVANCE,
    NEVER,
    SILENCE,
    Floats,
    farthest,
)
from app.engine.warmup import warm_up
from app.t3_settings import T3Settings
from app.word_marks import WordSpan

TEXTS = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "It is easy to tell the depth of a well.",
)
LANGUAGE = "en"
MIN_SCORE = 0.15  # of a head that walks along the text
_LETTERS = 4  # at least, of a word that is changed: a shorter one has few tokens of its own
_TOKENS_PER_CHAR = 4  # at most: 0.16 s of sound
_BEGUN = 0.1  # a word has begun where its tokens have lost this part of what they lose
_KEY = SessionKey("", "calibration")

Path = NDArray[np.int64]  # (K,) the number of the text id that each token says, or BEFORE_TEXT


def calibrate(
    model: T3Model, spec: ModelSpec, tokenizer: TextTokenizer, voice: T3Conditionals
) -> AlignmentHeads:
    """No heads, with the best score, where none walks along the text. Call before the engine's loop
    starts."""
    began_s = time.monotonic()
    with torch.inference_mode():
        spoken = _speak(model, _requests(spec, tokenizer, voice))
        shares = [read(model, one).shares.numpy() for one in spoken]
        paths = [paths_of(share) for share in shares]
        score = np.mean([scores_of(*pair) for pair in zip(shares, paths, strict=True)], axis=0)
        layer, head = np.unravel_index(score.argmax(), score.shape)
        found = replace(NO_HEADS, score=round(float(score[layer, head]), 4))
        if score[layer, head] >= MIN_SCORE:
            own = [path[:, layer, head] for path in paths]
            offset_ms = _middle(list(_offsets(model, spoken, own))) * MS_PER_TOKEN
            best = Head(int(layer), int(head))
            found = replace(found, heads=(best,), offset_ms=round(offset_ms, 1))
    return replace(found, took_s=round(time.monotonic() - began_s, 2))


def paths_of(shares: Floats) -> NDArray[np.int64]:
    """The best path of each head, (K, layers, heads). shares: (K, layers, heads, text ids)."""
    total = shares.sum(-1, keepdims=True)
    own = np.log(np.maximum(shares, np.finfo(np.float32).tiny) / np.maximum(total, 1e-9))
    silence = np.full((*own.shape[:-1], 1), SILENCE, own.dtype)
    steps = np.concatenate((silence, own), axis=-1)
    scores = np.full((*steps.shape[1:-1], MAX_ADVANCE + steps.shape[-1]), NEVER, own.dtype)
    scores[..., MAX_ADVANCE] = 0.0
    ends = []
    for step in steps:
        scores[..., MAX_ADVANCE:] = farthest(scores) + step
        ends.append(scores.argmax(-1) - MAX_ADVANCE + BEFORE_TEXT)
    return np.stack(ends)


def scores_of(shares: Floats, paths: NDArray[np.int64]) -> Floats:
    """(layers, heads): the mean attention on the path. A token that says no id counts as 0."""
    on_path = np.take_along_axis(shares, np.maximum(paths, 0)[..., None], axis=-1)[..., 0]
    mean: Floats = np.where(paths == BEFORE_TEXT, 0.0, on_path).mean(0)
    return mean


def begins(lost: Floats) -> float:
    """Where a word begins in its tokens, by what each token's likelihood loses where the word is
    changed. 3.5: in the middle of the fourth token."""
    lost = np.concatenate(([0.0], np.maximum(lost, 0.0).cumsum()))
    return float(np.interp(_BEGUN * lost[-1], lost, np.arange(len(lost))))


def _offsets(model: T3Model, spoken: Seq[Spoken], paths: Seq[Path]) -> Iterator[float]:
    """In tokens, of some words."""
    for one, path in zip(spoken, paths, strict=True):
        ids, reached = one.request.text_ids, np.maximum.accumulate(path)
        likelihood = read(model, one).likelihood.numpy()
        for word in one.request.words:
            if reached[-1] < word.first:
                continue
            others = [ids[(at + len(ids) // 2) % len(ids)] for at in range(word.first, word.end)]
            changed = (*ids[: word.first], *others, *ids[word.end :])
            lost = likelihood - read(model, one, changed).likelihood.numpy()
            yield begins(lost) - int((reached >= word.first).argmax())


def _middle(offsets: Seq[float]) -> float:
    """The mean of the middle three fifths; 0 where there is none."""
    ranked = sorted(offsets)
    kept = ranked[len(ranked) // 5 : len(ranked) - len(ranked) // 5]
    return sum(kept) / len(kept) if kept else 0.0


def _requests(
    spec: ModelSpec, tokenizer: TextTokenizer, voice: T3Conditionals
) -> Iterator[SequenceRequest]:
    language = LANGUAGE if LANGUAGE in spec.languages else next(iter(spec.languages), None)
    for number, text in enumerate(TEXTS):
        placed = tokenizer.place(text, language)
        words = word_ids(text, list(_spans(text)), placed.origins)
        sampling = replace(spec.sampling, max_tokens=_TOKENS_PER_CHAR * len(text), seed=number)
        yield SequenceRequest(_KEY, number, placed.ids, voice, sampling, words=words)


def _spans(text: str) -> Iterator[WordSpan]:
    """Of the words that are changed: long ones behind the first."""
    for match in re.finditer(rf"(?<= )\w{{{_LETTERS},}}", text):
        yield WordSpan(*match.span())


def _speak(model: T3Model, requests: Iterator[SequenceRequest]) -> list[Spoken]:
    engine = TokenEngine(model, T3Settings(slots=len(TEXTS)), fast=False)
    sequences = [engine.prepare(request) for request in requests]
    warm_up(engine, sequences)
    return [Spoken(s.request, torch.tensor(s.codec_ids, device=model.device)) for s in sequences]
