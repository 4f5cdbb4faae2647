"""The words that two texts in a row agree on."""

import pytest

from app.api.realtime.partial_words import PartialWords


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["a", "a b", "a b c", "a b c d"], "a b c"),
        (["a", "b", "b c", "b d"], "b"),
        (["a b", "a b", "c d", "c d"], "a b"),
        ([], ""),
        (["", ""], ""),
    ],
)
def test_only_what_is_agreed_on_is_told_and_once(texts, told):
    words = PartialWords()
    assert "".join(map(words.news, texts)) == told
