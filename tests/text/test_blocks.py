"""Blocks of a text end with a stop, and a number stays with its item."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.blocks import blocks
from app.text.spans import SpannedText


def said(text, language="en"):
    """The lines that have words."""
    spoken = SpannedText.of(text).replaced(blocks(text, language)).text
    return [line.strip() for line in spoken.split("\n") if line.strip()]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("A title\n\nThe text.", ["A title.", "The text."]),
        ("# A title\nThe text.", ["A title.", "The text."]),
        (
            "Shopping\n\n- Milk\n- Bread\n\nThat is all",
            ["Shopping.", "Milk.", "Bread.", "That is all"],
        ),
        ("Buy:\n* Milk\n• Bread\nThat is all", ["Buy:", "Milk.", "Bread.", "That is all"]),
        ("- Milk and\n  honey\n- Bread", ["Milk and", "honey.", "Bread"]),
        ("- Milk and\nhoney\n- Bread", ["Milk and", "honey.", "Bread"]),
        ("1. Crack them\n2. Beat them", ["1, Crack them.", "2, Beat them"]),
        ("- [ ] Milk\n- [x] Bread", ["Milk.", "Bread"]),
        ("[x] Milk\n\n[ ] Bread", ["Milk.", "Bread"]),
        ("1) one\n2) two", ["1, one.", "2, two"]),
        ("a) one\nb) two", ["a, one.", "b, two"]),
        ("Do:\n7. Seven\n8. Eight", ["Do:", "7, Seven.", "8, Eight"]),
        ("2. Beat them.", ["2, Beat them."]),
        ("Do this: 1. Crack 2. Beat 3. Fry.", ["Do this: 1, Crack. 2, Beat. 3, Fry."]),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n\nEnd", ["a, b.", "1, 2.", "End"]),
        ("He said “yes”\n\nSo", ["He said “yes”.", "So"]),
        ("He said “yes.”\n\nSo", ["He said “yes.”", "So"]),
        ("*sighs* Fine. *laughs*", ["sighs. Fine. laughs"]),
        ("*Waves*\n\nHello", ["Waves.", "Hello"]),
        ("one\ntwo\nthree", ["one", "two", "three"]),
        ("Yes!\n* * * * *\nNo", ["Yes!", "No"]),
        ("Yes\n---\nNo", ["Yes.", "No"]),
        ("=====\nYes", ["Yes"]),
        ("═════\nYes", ["Yes"]),
        ("Yes! * * * * * No", ["Yes! No"]),
        ("Wait --- what", ["Wait, what"]),
    ],
)
def test_a_block_without_an_end_mark_gets_a_stop(text, lines):
    assert said(text) == lines


@pytest.mark.parametrize(
    "text",
    [
        "I was born in\n1999. Then I moved.",
        "He came in 3. Then he left.",
        "The last was\n24. Then he left.",
        "A line\nand another - with dashes",
        "2 * 3 * 4 = 24",
        "Wait ... what?",
        "",
    ],
)
def test_prose_stays(text):
    assert blocks(text, "en") == []


def test_stops_are_those_of_the_language():
    assert said("标题\n\n正文", "zh") == ["标题。", "正文"]
    assert said("शीर्षक\n\nपाठ", "hi") == ["शीर्षक।", "पाठ"]


def test_an_ordinal_at_the_start_is_no_item_where_ordinals_have_points():
    assert blocks("24. Dezember ist Feiertag.", "de") == []
    assert said("1. Eier\n2. Milch", "de") == ["1, Eier.", "2, Milch"]


@given(st.text("ab1. -*#|\n•_:", max_size=80) | st.text(max_size=80))
def test_no_letter_is_lost(text):
    spoken = SpannedText.of(text).replaced(blocks(text, "en")).text
    assert [c for c in spoken if c.isalnum()] == [c for c in text if c.isalnum()]
