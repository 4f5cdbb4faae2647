"""The words of HTML stay, and its tags are not read."""

import pytest

from app.text.html_tags import html_tags, open_html_at
from app.text.incremental import IncrementalText
from app.text.plan import TextRules, plan_text
from app.text.spans import SpannedText


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<b>Sale</b> now", "Sale now"),
        ("<a href=\"http://a.b/c?d=e\" title='x > y'>Here</a>", "Here"),
        ("One<br>two<BR/>three<br />four", "One\ntwo\nthree\nfour"),
        ("<ul><li>One</li><li>Two</li></ul>", "\n\n\n\nOne\n\n\n\nTwo\n\n\n\n"),
        ("<h2>Head</h2>Text", "\n\nHead\n\nText"),
        ("a < b > c, I <3 it, <blink> and <bold>", "a < b > c, I <3 it, <blink> and <bold>"),
    ],
)
def test_tags_are_left_out_and_blocks_are_paragraphs(text, words):
    assert SpannedText.of(text).replaced(html_tags(text)).text == words


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("See <a href='x. y", 4),
        ("See <", 4),
        ("See </st", 4),
        ("See <b>", None),
        ("I <3 ", None),
        ("See <blink on", None),
        ("5 < 6 and", None),
    ],
)
def test_a_tag_that_may_go_on_is_found(text, at):
    assert open_html_at(text) == at


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("<b>Sale</b> ends &ndash; soon&hellip;", "Sale ends – soon…"),  # noqa: RUF001
        ("It&rsquo;s&nbsp;<em>here</em>.<br>Come in.", "It’s here. Come in."),  # noqa: RUF001
        ("<ul><li>Milk</li><li>Bread</li></ul>", "Milk. Bread"),
    ],
)
def test_a_text_with_html_is_read_as_its_words(text, segments):
    spoken = plan_text(text, TextRules(strip_markdown=True, normalise="off"))
    assert " ".join(spoken.segments) == segments


def test_no_take_ends_within_a_tag():
    tag = '<a href="/x" title="Well, now. Then, so">'
    stream = IncrementalText("en", strip_markdown=True)
    text = f"This is said {tag}to all</a> of you here. Yes. "
    takes = [take for char in text for take in stream.push(char)]
    assert any(tag in take.text for take in [*takes, *stream.flush()])
