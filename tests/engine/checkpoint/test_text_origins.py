"""Text ids find their words again, whatever the front end has made of the text."""

import re
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.engine.checkpoint.punctuation import punctuated
from app.engine.checkpoint.spec import FAMILIES, Family
from app.engine.checkpoint.text_origins import WordIds, origins_of, placed, word_ids
from app.engine.checkpoint.tokenizer import TextTokenizer
from app.word_marks import WordSpan
from tests.engine.checkpoint.test_tokenizer import TEXTS, opened

texts = st.text(alphabet="aZ é9.,:;…—“”\u2019'- ß\u0130ﬁ½한月か\u3099", min_size=1, max_size=40)


def words_of(text: str) -> list[WordSpan]:
    return [WordSpan(*match.span()) for match in re.finditer(r"\S+", text)]


def said_by(tokenizer: TextTokenizer, text: str, language: str | None) -> list[str]:
    """What each word's ids stand for, as the tokenizer was given it."""
    origins = tokenizer.place(text, language).origins
    found = word_ids(text, words_of(text), origins)
    return ["".join(text[origins[at]] for at in range(*word)) for word in found]


@pytest.mark.parametrize("family", FAMILIES)
@given(text=texts)
@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
def test_origins_never_fall_and_lie_in_the_text(family: Family, text: str) -> None:
    for after in (punctuated(text, family), normalize("NFKD", punctuated(text, family).lower())):
        origins = origins_of(text, after)
        assert len(origins) == len(after)
        assert origins == sorted(origins)
        assert origins[0] >= 0
        assert origins[-1] <= len(text)


@pytest.mark.parametrize("family", FAMILIES)
@given(text=st.text(alphabet="abcXYZ ,.;:…—é", min_size=1, max_size=60))
@hypothesis_settings(max_examples=60, deadline=None, derandomize=True)
def test_a_letter_comes_from_the_same_letter(family: Family, text: str) -> None:
    after = punctuated(text, family)
    for letter, origin in zip(after, origins_of(text, after), strict=True):
        if letter.isalpha():
            assert text[origin].casefold() == letter.casefold(), (text, after)


def test_what_was_added_lies_behind_the_character_before_it() -> None:
    assert origins_of("Hi", "Hi.") == [0, 1, 2]
    assert origins_of("a b", "a[SPACE]b.") == [0, *[1] * 7, 2, 3]
    assert origins_of("Ab", "[en]ab") == [0, 0, 0, 0, 0, 1]


def test_punctuation_that_becomes_shorter_moves_no_word() -> None:
    before = "Wait... what: now"
    after = punctuated(before, "english")
    assert after == "Wait,  what, now."
    origins = origins_of(before, after)
    assert [before[origins[after.index(word)]] for word in ("Wait", "what", "now")] == list("Wwn")


@pytest.mark.parametrize(
    ("before", "after", "starts"),
    [
        ("한국 말", normalize("NFKD", "한국 말"), [0, 1, 3]),  # three parts, three parts, three
        ("кот дом", "ко\u0301т до\u0301м", [0, 4]),  # stress marks
        ("שלום", "שָׁלוֹם", [0]),  # diacritics
        ("明日,a", "[zh][cj_a][cj_b][cj_.] [cj_c][cj_.],a", [0, 1, 3]),  # codes, and a space
        ("日本の月", "にほんのつき", [0, 2]),  # kana: の stays itself
    ],
)
def test_what_a_front_end_writes_stands_for_what_it_read(
    before: str, after: str, starts: list[int]
) -> None:
    origins = origins_of(before, after)
    assert set(starts) <= set(origins)
    assert origins == sorted(origins)


def test_every_part_of_a_letter_stands_for_the_letter() -> None:
    assert origins_of("é!", "e\u0301!") == [0, 0, 1]
    assert origins_of("ﬁn", "fin") == [0, 0, 1]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("text", [text for text in TEXTS if text])
def test_placed_ids_are_the_encoded_ones(family: Family, text: str, tmp_path: Path) -> None:
    tokenizer = opened(family, tmp_path)
    language = "en" if family == "multilingual" else None
    assert tokenizer.place(text, language).ids == tokenizer.encode(text, language)


@pytest.mark.parametrize("family", FAMILIES)
def test_words_are_found_among_the_ids(family: Family, tmp_path: Path) -> None:
    text = "“Hello,” he said… the 2nd one is café—really: good"
    tokenizer = opened(family, tmp_path)
    said = said_by(tokenizer, text, "en" if family == "multilingual" else None)
    letters = [re.sub(r"\W", "", word) for word in text.split()]
    assert len(said) == len(letters)
    for heard, word in zip(said, letters, strict=True):
        assert heard[0].casefold() == word[0].casefold()
        assert not set(heard.casefold()) - set(word.casefold()) - set("— "), (heard, word)


def test_the_marks_around_a_word_are_not_its_letters() -> None:
    text = "(Hi), you!"
    origins = tuple(range(len(text)))
    assert word_ids(text, words_of(text), origins) == (WordIds(1, 3), WordIds(6, 9))


def test_words_that_share_an_id_are_at_the_same_place() -> None:
    found = word_ids("ab cd", words_of("ab cd"), (0,))
    assert found == (WordIds(0, 1), WordIds(0, 1))


def test_a_word_that_no_id_stands_for_is_at_the_next_id() -> None:
    found = word_ids("a ~ b", words_of("a ~ b"), (0, 4))
    assert found == (WordIds(0, 1), WordIds(1, 2), WordIds(1, 2))


def test_an_id_with_a_space_in_front_stands_for_its_first_letter() -> None:
    assert placed("Oh my", "Oh my", (5, 6), ((0, 2), (2, 5))).origins == (0, 3)
