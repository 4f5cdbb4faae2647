"""Text that arrives in pieces: the first take comes early, and no text is lost."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.incremental import IncrementalText
from app.text.markup import parse_markup
from app.text.segments import MAX_CHARS, sentences, speakable

PROSE = (
    "Sure, I can help you with that today. Dr. Smith, who has lived in the U.S. since 1999, paid "
    "$3.50 for it at example.com/a.b?c yesterday. Wait... what? Then he left the building. "
    "He came back after all. It was late by then, i.e. about 9 p.m. or so. The end is near.\n\n"
    "A new paragraph begins here without a full stop\n\nAnd the last one ends it."
)


def solid(text):
    return "".join(text.split())


def takes_of(pieces, language="en", max_chars=MAX_CHARS):
    stream = IncrementalText(language, max_chars)
    takes = [take for piece in pieces for take in stream.push(piece)]
    return [*takes, *stream.flush()]


def test_the_first_take_is_the_first_long_enough_clause():
    stream = IncrementalText()
    assert stream.push("After a rather long introduction, we") == []
    assert stream.push(" come") == ["After a rather long introduction,"]


@pytest.mark.parametrize(
    "text",
    ["Well, yes, I do think ", "Dr. Smith comes to our town ", "It costs 1,000,000 dollars "],
)
def test_a_text_that_may_go_on_waits(text):
    assert IncrementalText().push(text) == []


def test_later_takes_are_whole_sentences_and_grow():
    sentence = "This is an ordinary sentence number {}. "
    takes = takes_of([sentence.format(n) for n in range(12)])
    assert [take.count(".") for take in takes] == [1, 1, 2, 3, 3, 2]


def test_a_paragraph_ends_a_sentence():
    takes = takes_of([PROSE])
    assert any(take.rstrip().endswith("without a full stop") for take in takes)


def test_markup_that_is_still_arriving_is_not_cut():
    stream = IncrementalText()
    pieces = ("Hello to all of you [pau", "se:1.5s] and a good day. N")
    takes = [take for piece in pieces for take in stream.push(piece)]
    spoken = [parse_markup(take) for take in [*takes, *stream.flush()]]
    assert sum(sum(each.pauses_s) for each in spoken) == 1.5


def test_flush_gives_the_rest_and_begins_anew():
    stream = IncrementalText()
    stream.push("Half a")
    assert stream.flush() == ["Half a"]
    assert stream.flush() == []
    assert stream.push("After a rather long introduction, we come") != []


def test_text_without_words_is_dropped():
    stream = IncrementalText()
    assert stream.push("![[ \n\n\t" * 2000) == []
    assert len(stream) <= 2 * MAX_CHARS + 1


def test_a_text_without_boundaries_is_cut():
    takes = takes_of(["a" * 2000])
    assert "".join(takes) == "a" * 2000
    assert max(map(len, takes)) <= MAX_CHARS * 2


def test_prose_is_cut_at_the_sentence_ends_of_the_whole_text():
    ends, end = set(), 0
    for paragraph in PROSE.split("\n\n"):
        for sentence in sentences(paragraph, "en"):
            end += len(solid(sentence))
            ends.add(end)
    at, cuts = 0, []
    for take in takes_of(list(PROSE)):
        at += len(solid(take))
        cuts.append(at)
    assert set(cuts[1:]) <= ends
    assert len(cuts) > 4


WORDS = st.lists(
    st.builds(
        lambda word, mark, gap: word + mark + gap,
        st.text(string.ascii_letters + "éü你好7", min_size=1, max_size=30),
        st.sampled_from(["", "", ",", ".", "!", "?", ";", "...", "。", "、"]),
        st.sampled_from([" ", " ", "  ", "\n", "\n\n", "", "\t"]),
    ),
    max_size=80,
).map("".join)
ANY = WORDS | st.text(max_size=900)


@given(ANY, st.data(), st.sampled_from(["en", "de", "ja", "ar"]), st.integers(40, 300))
def test_takes_do_not_depend_on_how_the_text_is_cut(text, data, language, max_chars):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert takes_of(pieces, language, max_chars) == takes_of([text], language, max_chars)
    assert takes_of(list(text), language, max_chars) == takes_of([text], language, max_chars)


@given(ANY, st.integers(40, 300))
def test_every_letter_is_in_a_take_in_order(text, max_chars):
    takes = takes_of([text], "en", max_chars)
    letters = [char for char in text if char.isalnum()]
    assert [char for take in takes for char in take if char.isalnum()] == letters
    assert all(speakable(take) for take in takes)


@given(WORDS)
def test_ordinary_text_loses_no_character(text):
    if speakable(text):
        assert solid("".join(takes_of([text]))) == solid(text)
    else:
        assert takes_of([text]) == []


@given(ANY, st.integers(40, 300))
def test_the_waiting_text_is_bounded(text, max_chars):
    stream = IncrementalText("en", max_chars)
    for char in text:
        stream.push(char)
        assert len(stream) <= 2 * max_chars + 2
