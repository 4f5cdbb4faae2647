"""The words of segments and their places."""

import pytest

from app.text.spans import Replacement, SpannedText
from app.text.word_breaks import last_break, words
from app.text.words import Word, spans_of, words_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, there!", ["Hello,", "there!"]),
        ("wait - what", ["wait", "what"]),
        ("it's 3.5 ok-ay", ["it's", "3.5", "ok-ay"]),
        ("你好，世界。", ["你好，", "世界。"]),  # noqa: RUF001
        ("ภาษาไทยเป็นภาษา", ["ภาษา", "ไทย", "เป็น", "ภาษา"]),
        ("今日は良い天気", ["今日", "は", "良い", "天気"]),
        ("𠀀𠀁 𝒳 你好", ["𠀀", "𠀁", "𝒳", "你好"]),  # noqa: RUF001 - beyond UTF-16's first plane
        ("ไทย\ud800ไทย", ["ไทย\ud800", "ไทย"]),
        ("— …", []),
    ],
)
def test_words_are_parted_by_spaces_or_by_a_dictionary(text, expected):
    assert [text[a:b] for a, b in words(text)] == expected


def test_words_of_one_written_form_have_its_place():
    text = SpannedText.of("pay $5 now").replaced([Replacement(4, 6, "five dollars")])
    assert words_of([text], spans_of([text])) == (
        (Word("pay", 0, 3), Word("five", 4, 6), Word("dollars", 4, 6), Word("now", 7, 10)),
    )


def test_words_stand_at_their_spans_of_the_segment_s_text():
    text = SpannedText.of("pay $5 now").replaced([Replacement(4, 6, "five dollars")])
    [spans] = spans_of([text])
    assert [text.text[slice(*span)] for span in spans] == ["pay", "five", "dollars", "now"]


def test_places_that_overlap_become_one_also_between_segments():
    text = SpannedText.of("$5-off").replaced([Replacement(0, 2, "five dollars")])
    segments = [text[:4], text[5:]]
    first, second = words_of(segments, spans_of(segments))
    assert first == (Word("five", 0, 6),)
    assert second == (Word("dollars-off", 0, 6),)


@pytest.mark.parametrize("script", ["ภาษาไทย", "ភាសាខ្មែរ", "བོད་ཡིག་", "日本語"])
def test_a_break_in_a_script_without_spaces_is_a_border_of_a_word(script):
    text = script * 60
    end = last_break(text, 200)
    assert end is not None
    assert 133 <= end <= 200
    assert end in {b for _, b in words(text)}


@pytest.mark.parametrize("text", ["word " * 60, "a" * 300])
def test_a_text_of_another_script_has_no_such_break(text):
    assert last_break(text, 200) is None
