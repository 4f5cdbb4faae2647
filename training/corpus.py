"""The sentences that the teacher reads aloud, and the held-out sentences of the evaluation.

"open" sentences are WordNet's examples and glosses (Debian's `wordnet-base`, free licence: about
48,000 words of everyday English). "spoken" sentences are those of a voice agent, made from
templates. No 4-gram of a held-out sentence is in a training sentence. A seed determines the corpus.
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

WORDNET = Path("/usr/share/wordnet")
HELD_OUT = Path(__file__).with_name("held_out.txt")
WITH_NUMBERS = Path(__file__).with_name("with_numbers.txt")
TEMPLATES = Path(__file__).with_name("templates.json")
MIN_WORDS, MAX_WORDS = 2, 13
NGRAM = 4

_PLAIN = re.compile(r"[A-Za-z][A-Za-z' ,]*[A-Za-z]")
_LETTERS = re.compile(r"[a-z']+")


class Sentence(NamedTuple):
    kind: str  # "spoken", "open" or "words"
    text: str


class NumberSentence(NamedTuple):
    written: str  # with digits and signs
    spoken: str  # the same in words


def words_of(text: str) -> tuple[str, ...]:
    """The words in lower case, without punctuation."""
    return tuple(_LETTERS.findall(text.lower()))


def ngrams_of(text: str, length: int = NGRAM) -> Iterator[tuple[str, ...]]:
    words = words_of(text)
    return (words[at : at + length] for at in range(len(words) - length + 1))


def held_out() -> list[Sentence]:
    """The sentences of `held_out.txt`. Each line is a kind, a tab and a text."""
    lines = HELD_OUT.read_text(encoding="utf-8").splitlines()
    return [Sentence(*line.split("\t")) for line in lines]


def with_numbers() -> list[NumberSentence]:
    """The sentences of `with_numbers.txt`. Each line is a text, a tab and the words of the text.
    Nobody reads them aloud in training: no 4-gram of these words is in the first 20,000 training
    sentences of the seeds 1 and 2."""
    lines = WITH_NUMBERS.read_text(encoding="utf-8").splitlines()
    return [NumberSentence(*line.split("\t")) for line in lines]


def corpus(seed: int, num_sentences: int) -> list[Sentence]:
    """Distinct sentences in a random order. None has a 4-gram of a held-out sentence.

    Raises FileNotFoundError if WordNet is not installed.
    """
    rng = random.Random(seed)
    examples, glosses = (list(dict.fromkeys(part)) for part in zip_parts(wordnet()))
    for part in (examples, glosses):
        rng.shuffle(part)
    vocabulary = sorted({word for text in (*examples, *glosses) for word in text.split(" ")})
    kept_out = {ngram for sentence in held_out() for ngram in ngrams_of(sentence.text)}
    kept_out |= {words_of(sentence.text) for sentence in held_out()}
    shares = {"spoken": 0.25, "words": 0.1, "open": 0.65}  # of the sentences
    sentences: dict[str, Sentence] = {}
    turns: dict[str, Iterator[str]] = {
        "spoken": templates(rng),
        "words": some_words(vocabulary, rng),
        "open": iter([*examples, *glosses]),
    }
    while len(sentences) < num_sentences:
        kind = rng.choices(list(shares), list(shares.values()))[0]
        text = next(turns[kind], None)
        if text is None:  # no sentence of WordNet is left
            shares["open"] = 0.0
            continue
        if words_of(text) in kept_out or not kept_out.isdisjoint(ngrams_of(text)):
            continue
        sentences.setdefault(text.lower(), Sentence(kind, text))
    return list(sentences.values())


def templates(rng: random.Random) -> Iterator[str]:
    """Sentences of a voice agent. Random words fill the slots of random templates."""
    document = json.loads(TEMPLATES.read_text(encoding="utf-8"))
    fillings = {slot: words.split() for slot, words in document["slots"].items()}
    while True:
        yield re.sub(
            r"{(\w+)}",
            lambda slot: rng.choice(fillings[slot[1]]),
            rng.choice(document["templates"]),
        )


def some_words(vocabulary: Sequence[str], rng: random.Random) -> Iterator[str]:
    while True:
        yield " ".join(rng.choices(vocabulary, k=rng.choice((1, 1, 2, 3))))


def wordnet() -> Iterator[tuple[bool, str]]:
    """(is_example, text) of every synset. A line is `... | gloss; gloss; "example"; "example"`."""
    for part in ("noun", "verb", "adj", "adv"):
        for line in (WORDNET / f"data.{part}").read_text(encoding="ascii").splitlines():
            _, bar, gloss = line.partition(" | ")
            if bar and not line.startswith("  "):
                yield from ((False, t) for t in plain(re.sub(r'"[^"]*"|\([^)]*\)', "", gloss)))
                for example in re.findall(r'"([^"]*)"', gloss):
                    yield from ((True, text) for text in plain(example))


def plain(text: str) -> Iterator[str]:
    """The clauses of MIN_WORDS to MAX_WORDS words without digits or accents."""
    for words in map(str.split, re.split(r"[;:.!?]", text)):
        clause = " ".join(words)
        if _PLAIN.fullmatch(clause) and MIN_WORDS <= len(words) <= MAX_WORDS:
            yield clause


def zip_parts(parts: Iterator[tuple[bool, str]]) -> tuple[list[str], list[str]]:
    examples: list[str] = []
    glosses: list[str] = []
    for is_example, text in parts:
        (examples if is_example else glosses).append(text)
    return examples, glosses
