"""Markup in a text: pauses, Markdown and emoji."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadRequest
from app.text.markup import (
    SpokenText,
    is_open_mark,
    parse_markup,
    without_emoji,
    without_markdown,
)
from app.text.segments import segment

HELLO, BYE = ("Hello there.", "Goodbye now.")


@pytest.mark.parametrize(
    ("mark", "seconds"),
    [
        ("[pause:1.5s]", 1.5),
        ("[pause:300ms]", 0.3),
        ("[PAUSE: .5s ]", 0.5),
        ("[pause:0s]", 0),
        ('<break time="500ms"/>', 0.5),
        ("<break time='2s' />", 2),
        ('<break time="1s"></break>', 1),
        ("<break/>", 0.5),
        ("<break>", 0.5),
        ("[pause:1s][pause:2s]", 3),
    ],
)
def test_a_pause_lies_between_segments(mark, seconds):
    spoken = parse_markup(f"{HELLO} {mark} {BYE}")
    assert spoken.segments == (HELLO, BYE)
    assert spoken.pauses_s == pytest.approx((0, seconds, 0))


def test_a_text_may_begin_and_end_with_a_pause():
    assert parse_markup(f"[pause:1s]{HELLO}[pause:2s]") == SpokenText((HELLO,), (1, 2))


def test_pauses_around_nothing_add_up():
    assert parse_markup(f"{HELLO}[pause:1s]...[pause:2s]{BYE}").pauses_s == (0, 3, 0)


def test_pauses_alone_have_no_segments():
    assert parse_markup("[pause:1s] <break/>").segments == ()


def test_the_speak_element_is_removed():
    assert parse_markup(f"<speak>{HELLO}</speak>") == SpokenText((HELLO,), (0, 0))


@pytest.mark.parametrize(
    "text",
    [
        "[pause:soon]",
        "[pause:]",
        "[pause:1]",
        "[pause:-1s]",
        "[pause:1e9s]",
        "[pause:11s]",
        "[pause:999999s]",
        '<break time="x"/>',
        '<break strength="strong"/>',
        '<break time="1s" x="y"/>',
        "[pause:9s]a" * 7,
    ],
)
def test_a_malformed_pause_is_refused(text):
    with pytest.raises(BadRequest) as refused:
        parse_markup(f"{HELLO} {text}")
    assert refused.value.param == "input"


@pytest.mark.parametrize(
    "text", ["[laugh] Oh well. [sigh]", "[pauses] he said.", "a < b and b > a", "<breakfast> now"]
)
def test_other_markup_is_text(text):
    assert parse_markup(text).segments == (text,)


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("Hello [pau", True),
        ("Hello [pause:1", True),
        ("Hello [", True),
        ('Hello <break time="1s"', True),
        ("Hello [pause:1s]", False),
        ("Hello [laugh", False),
        ("a < b", False),
        ("Hello", False),
    ],
)
def test_an_open_mark_is_recognised(text, is_open):
    assert is_open_mark(text) is is_open


@given(st.text(max_size=400))
def test_a_text_without_markup_is_its_segments(text):
    if "pause" not in text.lower() and "break" not in text.lower() and "speak" not in text.lower():
        assert parse_markup(text).segments == segment(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Title\n\nText.", "Title\n\nText."),
        ("**bold** and _slanted_ `code`", "bold and slanted code"),
        ("[a link](http://example.com/x) here", "a link here"),
        ("![a picture](x.png)", "a picture"),
        ("1. one\n2. two", "1. one\n\n2. two"),
        ("- one\n- two", "one\n\ntwo"),
        ("> quoted", "quoted"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a\n\nb\n\n1\n\n2"),
        ("~~gone~~ there", "gone there"),
        ("snake_case 2 * 3 * 4", "snake_case 2 * 3 * 4"),
        ("a\nb", "a\nb"),
        ("&amp; \\*", "& *"),
        ("plain [laugh] text [pause:1s]", "plain [laugh] text [pause:1s]"),
        ('<break time="1s"/> now', '<break time="1s"/> now'),
    ],
)
def test_markdown_becomes_its_words(text, words):
    assert without_markdown(text).strip() == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hi 🙂 there", "Hi there"),
        ("👩‍👩‍👧 family", "family"),
        ("🇩🇪", ""),
        ("#1 and 5*", "#1 and 5*"),
    ],
)
def test_emoji_are_removed_whole(text, words):
    assert " ".join(without_emoji(text).split()) == words
