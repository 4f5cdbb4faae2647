"""A rewritten text knows where each of its characters came from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.spans import Replacement, Span, SpannedText


def test_a_replaced_form_came_from_all_that_it_replaced():
    text = SpannedText.of("pay $5 now").replaced([Replacement(4, 6, "five dollars")])
    assert text.text == "pay five dollars now"
    assert text.span(4, 8) == text.span(9, 16) == Span(4, 6)
    assert text.span(17, 20) == Span(7, 10)


def test_a_second_replacement_keeps_the_positions_of_the_first():
    once = SpannedText.of("Dr. Who, 5").replaced(
        [Replacement(0, 3, "Doctor"), Replacement(9, 10, "five")]
    )
    twice = once.replaced([Replacement(0, 10, "The Physician")])
    assert twice.text == "The Physician, five"
    assert twice.span(0, 3) == Span(0, 7)
    assert twice.span(15, 19) == Span(9, 10)


def test_an_insertion_lies_behind_the_character_before_it():
    text = SpannedText.of("ab").replaced([Replacement(0, 0, "x"), Replacement(1, 1, ".")])
    assert text.text == "xa.b"
    assert text.span(0, 1) == Span(0, 0)
    assert text.span(2, 3) == Span(1, 1)


def test_an_insertion_between_words_of_one_form_has_its_place():
    text = SpannedText.of("a $5 b").replaced([Replacement(2, 4, "five dollars")])
    again = text.replaced([Replacement(6, 6, ",")])
    assert again.text == "a five, dollars b"
    assert again.span(6, 7) == Span(2, 4)


def test_what_is_final_is_replaced_no_more():
    text = SpannedText.of("tar 5").replaced([Replacement(0, 3, "a 2 b", is_final=True)])
    again = text.replaced([Replacement(2, 3, "two"), Replacement(6, 7, "five")])
    assert again.text == "a 2 b five"


def test_an_insertion_may_stand_beside_a_final_character_but_not_between_two():
    text = SpannedText.of("ab").replaced([Replacement(0, 1, "xy", is_final=True)])
    assert text.replaced([Replacement(1, 1, ".")]).text == "xyb"
    assert text.replaced([Replacement(2, 2, ".")]).text == "xy.b"
    assert text.replaced([Replacement(0, 0, ".")]).text == ".xyb"


@pytest.mark.parametrize(
    "wrong",
    [
        [Replacement(2, 4, ""), Replacement(0, 1, "")],
        [Replacement(0, 3, ""), Replacement(2, 4, "")],
        [Replacement(3, 2, "")],
        [Replacement(4, 9, "")],
    ],
)
def test_replacements_out_of_order_are_refused(wrong):
    with pytest.raises(ValueError, match="out of order"):
        SpannedText.of("abcdef").replaced(wrong)


def test_an_empty_text_has_an_empty_span():
    assert SpannedText.of("").span(0, 0) == Span(0, 0)
    assert SpannedText.joined([]).text == ""


@st.composite
def rewritings(draw):
    """A text, and replacements of it in order."""
    text = draw(st.text(max_size=60))
    borders = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pairs = zip(borders[::2], borders[1::2], strict=False)
    return text, [Replacement(a, b, draw(st.text(max_size=8))) for a, b in pairs]


@given(rewritings())
def test_a_rewritten_text_is_what_slicing_gives_and_keeps_order(rewriting):
    text, replacements = rewriting
    said = SpannedText.of(text).replaced(replacements)
    expected, at = "", 0
    for each in replacements:
        expected += text[at : each.start] + each.say
        at = each.end
    assert said.text == expected + text[at:]
    assert len(said.starts) == len(said.ends) == len(said.finals) == len(said)
    assert (np.diff(said.starts) >= 0).all()
    assert (np.diff(said.ends) >= 0).all()


@given(rewritings(), st.data())
def test_places_stay_in_order_when_a_text_is_rewritten_again(rewriting, data):
    said = SpannedText.of(rewriting[0]).replaced(rewriting[1])
    borders = sorted(data.draw(st.lists(st.integers(0, len(said)), max_size=8)))
    pairs = zip(borders[::2], borders[1::2], strict=False)
    again = said.replaced(Replacement(a, b, "new"[: b - a + 1]) for a, b in pairs)
    assert (np.diff(again.starts) >= 0).all()
    assert (np.diff(again.ends) >= 0).all()


@given(st.text(max_size=40), st.integers(0, 40))
def test_a_text_cut_and_joined_is_the_same(text, at):
    whole = SpannedText.of(text)
    again = SpannedText.joined([whole[:at], whole[at:]])
    assert again.text == text
    assert [again.span(i, i + 1) for i in range(len(text))] == [
        Span(i, i + 1) for i in range(len(text))
    ]
