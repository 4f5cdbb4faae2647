"""Segments keep all words in order and stay under the cap."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.incremental import IncrementalText
from app.text.segments import normalise, segment, segments, speakable
from app.text.spans import SpannedText

LANGUAGES = ["en", "de", "ja", "zh", "ar", "hi", "ko", "ru", "xx", None]


LONG = "The quick brown fox jumps over the lazy dog near the old river bank at noon. "


def letters(text):
    return "".join(char for char in text if char.isalnum())


def solid(text):
    return "".join(text.split())


def joined(segments):
    return solid("".join(segments))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello.", ("Hello.",)),
        ("  Hello \t\n world \u2028 again. ", ("Hello world again.",)),
        ("Hel\x00lo\x07 there.\x1f", ("Hello there.",)),
        ("half\ud800 a pair", ("half a pair",)),
        (
            "Dr. Smith paid $3.50. See example.com/a.b?c now.",
            ("Dr. Smith paid $3.50. See example.com/a.b?c now.",),
        ),
        ("One. Two. Three. Four. Five.", ("One. Two. Three. Four. Five.",)),
        ("Hi", ("Hi",)),
        ("7", ("7",)),
        (
            "We met at 10 a.m. on Jan. 5th, i.e. early. Prof. Dr. Ng came.",
            ("We met at 10 a.m. on Jan. 5th, i.e. early. Prof. Dr. Ng came.",),
        ),
        ("Title\n\nThe first line.", ("Title The first line.",)),
        ("你好。你好吗？我很好！", ("你好。你好吗？我很好！",)),  # noqa: RUF001
        ("", ()),
        (" \n\t ", ()),
        ("...", ()),
        ("Wait ... what?", ("Wait ... what?",)),
        ("Yes!\n\n---\n\nNo!", ("Yes! --- No!",)),
        ("Yes.\n\n" + "-" * 280 + "\n\nNo.", ("Yes. No.",)),
    ],
)
def test_a_text_is_cut_into_segments(text, expected):
    assert segment(text) == expected


def test_the_first_segment_is_short_when_sentences_allow_it():
    sentence = "The quick brown fox jumps over the lazy dog near the old river bank. "
    first, second, *_ = segment(sentence * 8)
    assert len(first) <= 120 < len(second) <= 280


def test_a_first_sentence_that_fits_is_not_cut():
    text = "word " * 40 + "end."
    assert segment(text) == (text,)


def test_a_segment_has_at_most_three_sentences():
    for group in segment("I am here. " * 30):
        assert group.count(".") <= 3


@pytest.mark.parametrize("text", ["No. " * 9, "Hi. " + "word " * 45 + "end.", LONG + "Yes. " * 4])
def test_a_short_segment_joins_a_neighbour(text):
    assert min(map(len, segment(text))) >= 24


def test_a_long_sentence_is_cut_at_its_last_late_clause():
    text = "a " * 30 + "first, " + "b " * 60 + "second; " + "c " * 60 + "end."
    first, rest = segment(text)
    assert first.endswith("second;")
    assert rest.startswith("c c")


def test_a_comma_in_a_number_does_not_end_a_clause():
    text = "12,345,678 " * 30
    assert all(part.split()[-1] == "12,345,678" for part in segment(text))


def test_without_a_clause_words_stay_whole():
    assert {word for part in segment("word " * 200) for word in part.split()} == {"word"}


def test_a_cut_without_a_space_keeps_combined_characters_whole():
    parts = segment("e\u0301" * 400, max_chars=41)
    assert all(not part.startswith("\u0301") for part in parts)
    assert max(map(len, parts)) <= 41
    assert "".join(parts) == "e\u0301" * 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi", True),
        ("7", True),
        ("你", True),
        ("नमस्ते", True),
        ("?!…", False),
        ("🙂", False),
        ("", False),
    ],
)
def test_a_letter_or_digit_is_speakable(text, expected):
    assert speakable(text) is expected


SPEECH = (
    "\u201cThey said that the house was old and that nobody had lived there for years. I did not "
    "believe a word of it, because I had seen the light in the window every night since spring. "
    "Now they all come to my door and ask me what I have seen, and I tell each of them the same "
    "short story that I told you.\u201d He sat down."
)


def test_a_long_quotation_is_cut_at_a_full_stop_within_reach():
    for text in (SPEECH, SPEECH.replace("\u201c", "(").replace("\u201d", ")")):
        assert all(part.rstrip("\u201d)")[-1] == "." for part in segment(text))
        assert len(segment(text)) > 1


def test_an_inch_mark_hides_no_full_stop():
    text = 'The screen has 27" and costs much. ' + "It is big and bright and new. " * 12
    assert all(part.endswith(".") for part in segment(text))


WORDS_OF = {"th": ("ภาษา", "ไทย"), "km": ("ភាសា", "ខ្មែរ"), "bo": ("བོད་", "ཡིག་")}


def is_between_words(at, words):
    """`at`: in a text that repeats the two words without spaces."""
    return at % len("".join(words)) in (0, len(words[0]))


@pytest.mark.parametrize("max_chars", [41, 100, 279, 280])
@pytest.mark.parametrize("words", WORDS_OF.values(), ids=WORDS_OF)
def test_a_script_without_spaces_is_cut_between_words(words, max_chars):
    text = "".join(words) * 100
    parts = segment(text, max_chars=max_chars)
    assert "".join(parts) == text
    assert len(parts) > 2
    assert max(map(len, parts)) <= max_chars
    ends = [sum(map(len, parts[:number])) for number in range(1, len(parts))]
    assert all(is_between_words(end, words) for end in ends), ends


@pytest.mark.parametrize("piece", [1, 7, 50])
@pytest.mark.parametrize("language", WORDS_OF)
def test_it_is_cut_between_words_where_it_comes_in_pieces(language, piece):
    words = WORDS_OF[language]
    text = "".join(words) * 100
    stream = IncrementalText(language)
    takes = [
        take for at in range(0, len(text), piece) for take in stream.push(text[at : at + piece])
    ]
    assert "".join(take.text for take in [*takes, *stream.flush()]) == text
    assert len(takes) > 1
    assert all(is_between_words(take.places[-1] + 1, words) for take in takes)


def test_segments_know_where_they_came_from():
    text = "One  sentence\nhere. " + "Another one is here, and it is long enough. " * 8
    for part in segments(SpannedText.of(text)):
        span = part.span(0, len(part))
        assert text[span.start : span.end].split() == part.text.split()


@given(st.text(max_size=600), st.sampled_from(LANGUAGES), st.integers(40, 300))
def test_every_letter_is_in_a_segment_in_order(text, language, max_chars):
    parts = segment(text, language, max_chars, 120)
    assert letters("".join(parts)) == letters(normalise(text))
    assert all(len(part) <= max_chars and speakable(part) for part in parts)
    assert all(part == normalise(part) for part in parts)
    assert bool(parts) == speakable(normalise(text))


WORDS = st.lists(
    st.builds(
        lambda word, mark, gap: word + mark + gap,
        st.text(string.ascii_letters + "éü你好", min_size=1, max_size=30),
        st.sampled_from(["", "", ",", ".", "!", "?", ";", "..."]),
        st.sampled_from([" ", " ", "  ", "\n", "\n\n", ""]),
    ),
    max_size=120,
).map("".join)


@given(WORDS, st.sampled_from(LANGUAGES), st.integers(40, 300), st.integers(1, 300))
def test_ordinary_text_loses_no_character(text, language, max_chars, first_max_chars):
    parts = segment(text, language, max_chars, first_max_chars)
    assert joined(parts) == solid(normalise(text))
