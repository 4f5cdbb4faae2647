"""Where a word begins and ends, in any script."""

import pytest

from app.text.word_borders import begins_word, ends_word


def is_word(text, word, language="en"):
    at = text.index(word)
    return begins_word(text, at, language) and ends_word(text, at + len(word), language)


@pytest.mark.parametrize(
    ("text", "word", "language"),
    [
        ("cat", "cat", "en"),
        ("a cat, a dog", "cat", "en"),
        ("(cat)", "cat", "en"),
        ("cat-like", "cat", "en"),
        ("the cat's tail", "cat", "en"),
        ("cats' tails: cat.", "cats", "en"),
        ("I use C++.", "C++", "en"),
        (".NET now", ".NET", "en"),
        ("l'eau froide", "eau", "fr"),
        ("Ankara'da", "Ankara", "tr"),
        ("我住在重庆市", "重庆", "zh"),
        ("用Kubernetes部署", "Kubernetes", "zh"),
        ("ランプを買う", "ランプ", "ja"),
        ("쿠버네티스는 좋다", "쿠버네티스", "ko"),
        ("यह की है", "की", "hi"),
    ],
)
def test_a_whole_word_is_one(text, word, language):
    assert is_word(text, word, language)


@pytest.mark.parametrize(
    ("text", "word", "language"),
    [
        ("cats", "cat", "en"),
        ("concat", "cat", "en"),
        ("cat_like", "cat", "en"),
        ("cat5", "cat", "en"),
        ("I can't", "can", "en"),
        ("O'Brien", "Brien", "en"),
        ("cat.io", "cat", "en"),
        ("AT&T", "AT", "en"),
        ("I use C++ and C#", "C", "en"),
        ("ASP.NET", ".NET", "en"),
        ("U.S.A.", "U.S.", "en"),
        ("ランプ", "ラン", "ja"),
        ("쿠버네티스들", "쿠버", "ko"),
        ("कीमत", "क", "hi"),
        ("कीमत", "की", "hi"),
        ("กี่", "ก", "th"),
    ],
)
def test_a_part_of_a_word_is_none(text, word, language):
    assert not is_word(text, word, language)
