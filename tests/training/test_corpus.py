from functools import cache
from pathlib import Path

import pytest

from training.corpus import (
    WORDNET,
    corpus,
    held_out,
    ngrams_of,
    plain,
    with_numbers,
    wordnet,
    words_of,
)

needs_wordnet = pytest.mark.skipif(not WORDNET.exists(), reason="wordnet-base is not installed")


@pytest.fixture
def wordnet_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads WordNet once, which takes a second."""
    if WORDNET.exists():
        glosses = _wordnet()
        monkeypatch.setattr("training.corpus.wordnet", lambda: iter(glosses))


@cache
def _wordnet() -> tuple[tuple[bool, str], ...]:
    return tuple(wordnet())


@needs_wordnet
@pytest.mark.usefixtures("wordnet_once")
def test_no_training_sentence_shares_four_words_in_a_row_with_a_held_out_one():
    kept_out = {ngram for sentence in held_out() for ngram in ngrams_of(sentence.text)}
    whole = {words_of(sentence.text) for sentence in held_out()}
    for sentence in corpus(seed=1, num_sentences=20_000):
        assert kept_out.isdisjoint(ngrams_of(sentence.text)), sentence
        assert words_of(sentence.text) not in whole


@needs_wordnet
@pytest.mark.usefixtures("wordnet_once")
@pytest.mark.parametrize("seed", [1, 2])  # of the trainings of the embedded model
def test_no_sentence_with_numbers_was_read_aloud_in_training(seed: int):
    new = {ngram for sentence in with_numbers() for ngram in ngrams_of(sentence.spoken)}
    for sentence in corpus(seed, num_sentences=20_000):
        assert new.isdisjoint(ngrams_of(sentence.text)), sentence


@needs_wordnet
@pytest.mark.usefixtures("wordnet_once")
def test_a_seed_makes_the_same_distinct_sentences():
    sentences = corpus(seed=3, num_sentences=500)
    assert sentences == corpus(seed=3, num_sentences=500)
    assert sentences != corpus(seed=4, num_sentences=500)
    assert len({sentence.text.lower() for sentence in sentences}) == 500
    assert {sentence.kind for sentence in sentences} == {"open", "spoken", "words"}


def test_a_hundred_sentences_are_held_out():
    kinds = [sentence.kind for sentence in held_out()]
    assert (kinds.count("spoken"), kinds.count("open")) == (30, 70)
    assert len({sentence.text for sentence in held_out()}) == 100


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("he laughed; she did not", ["he laughed", "she did not"]),
        ("in 1984 he left", []),
        ("word", []),
        (" ".join("a" * 14), []),
        ("a naïve man", []),
    ],
)
def test_only_plain_words_are_read_aloud(text: str, clauses: list[str]):
    assert list(plain(text)) == clauses


def test_without_wordnet_the_corpus_raises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("training.corpus.WORDNET", tmp_path / "away")
    with pytest.raises(FileNotFoundError, match="away"):
        corpus(seed=1, num_sentences=10)
