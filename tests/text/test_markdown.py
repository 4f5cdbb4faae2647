"""Markdown becomes its words, and they keep their places."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.text.markdown import open_link_at, stray_marks, without_markdown
from app.text.spans import SpannedText


def said(text):
    return SpannedText.of(text).replaced(without_markdown(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Title\n\nText.", "Title\n\nText."),
        ("Title\n=====\nText", "Title\n\nText"),
        ("**bold** and _slanted_ `code`", "bold and slanted code"),
        ("a **b *c* d** e", "a b c d e"),
        ("[a link](http://example.com/x) here", "a link here"),
        ('[see](u "a title") now', "see now"),
        ("[ref] and [x][ref]\n\n[ref]: http://a.b\n\nend", "ref and x\n\nend"),
        ("![a picture](x.png)", "a picture"),
        ("<http://a.b/c> x", "http://a.b/c x"),
        ("1. one\n2. two", "1. one\n\n2. two"),
        ("1. a\n\n   b\n\n2. c", "1. a\n\nb\n\n2. c"),
        ("1. one\n   - sub **x**\n2. two", "1. one\n\nsub x\n\n2. two"),
        ("3) three\n4) four", "3. three\n\n4. four"),
        ("- one\n- two", "one\n\ntwo"),
        ("> quoted\n> more", "quoted\nmore"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a, b\n\n1, 2"),
        ("~~gone~~ there", "gone there"),
        ("snake_case 2 * 3 * 4", "snake_case 2 * 3 * 4"),
        ("a\nb", "a\nb"),
        ("a\\\nb  \nc", "a\nb\nc"),
        ("&amp; \\*", "& *"),
        ("```python\nprint(1)\n```\nafter", "print(1)\n\nafter"),
        ("x\n\n***\n\ny", "x\n\ny"),
        ("plain [laugh] text [pause:1s]", "plain [laugh] text [pause:1s]"),
        ('<break time="1s"/> now', '<break time="1s"/> now'),
        ("*sighs deeply* Fine. *laughs* No.", "sighs deeply. Fine. laughs. No."),
        ("*Never* say never", "Never say never"),
        ("**Note:** Do it. He *is* Bob.", "Note: Do it. He is Bob."),
    ],
)
def test_markdown_becomes_its_words(text, words):
    assert said(text).text.strip() == words


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("# Some **bold** words", "bold"),
        ("1) one (1. x)\n2) two. There", "There"),
        ("1) one\n2) two", "one"),
        ("1.\tone two", "two"),
        ("<http://a.b/c> then [x] and ] this", "this"),
        ("<http://a.b/c> then a] word", "then"),
        ("[here](http://here.org) is where", "where"),
        ("| a | b |\n|---|---|\n| x1 | y2 |", "y2"),
        ("1. one\n2. two", "two"),
        ("```\ncode\n```\nthen", "then"),
    ],
)
def test_a_word_keeps_its_place(text, word):
    spoken = said(text)
    at = spoken.text.index(word)
    start, end = spoken.span(at, at + len(word))
    assert text[start:end] == word
    assert start == text.rindex(word)


LINE_ENDS = ["\n", "\r", "\r\n", "\x0b", "\u2028"]
LINES = st.lists(st.sampled_from([*"ab1 *`#>-|", *LINE_ENDS]), max_size=40)


@example("0\r0\n")
@example("`a\nb` c d")
@example("`a\r\nb` c d")
@example("# a\x0b\n\nb a")
@given(LINES.map("".join))
def test_a_letter_stands_at_its_place_whatever_ends_a_line(text):
    spoken = said(text)
    for at, char in enumerate(spoken.text):
        start, end = spoken.span(at, at + 1)
        assert not char.isalnum() or text[start:end] == char


@given(st.text("ab1 *_`#->|[]()!~\\&;\n.", max_size=60) | st.text(max_size=60))
def test_any_text_is_read_and_places_stay_in_order(text):
    spoken = said(text)
    assert (spoken.starts[1:] >= spoken.starts[:-1]).all()
    assert len(spoken) == 0 or spoken.ends[-1] <= len(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("**Bold one.", "Bold one."),
        ("Two.** Three", "Two. Three"),
        ("`code. More`", "code. More"),
        ("2 * 3 and a*b", "2 * 3 and a*b"),
        ("__init and snake_case", "init and snake_case"),
    ],
)
def test_marks_without_partners_are_removed(text, words):
    assert SpannedText.of(text).replaced(stray_marks(text)).text == words


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("see [the li", 4),
        ("see [the link]", 4),
        ("see [the link](http://a", 4),
        ("see ![a pic", 4),
        ("see [the link](http://a) ", None),
        ("see [it] here", None),
        ("see", None),
    ],
)
def test_a_link_that_may_go_on_is_found(text, at):
    assert open_link_at(text) == at
