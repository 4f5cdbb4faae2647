"""From a caller's text to what the model gets."""

# ruff: noqa: RUF001

import string
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadRequest
from app.text.plan import TextRules, plan_text
from app.text.pronunciations import Pronunciation
from app.text.segments import segment

ENGLISH = string.printable + "…:;—–“”‘’"
HELLO, BYE = "Hello there.", "Goodbye now."
PLAIN = TextRules(normalise="off")


def planned(text, **rules):
    return plan_text(text, TextRules(**rules))


def said(text, **rules):
    return " ".join(planned(text, **rules).segments)


def words(spoken):
    return [word for segment_words in spoken.words for word in segment_words]


def test_a_pause_lies_between_segments():
    spoken = planned(f"{HELLO} [pause:1s]<break time='500ms'/> {BYE}")
    assert spoken.segments == (HELLO, BYE)
    assert spoken.pauses_s == (0, 1.5, 0)


def test_a_text_may_begin_and_end_with_a_pause():
    spoken = planned(f"[pause:1s]{HELLO}[pause:2s]")
    assert (spoken.segments, spoken.pauses_s) == ((HELLO,), (1, 2))


def test_pauses_around_nothing_add_up():
    assert planned(f"{HELLO}[pause:1s]...[pause:2s]{BYE}").pauses_s == (0, 3, 0)


def test_pauses_alone_have_no_segments():
    assert planned("[pause:1s] <break/>").segments == ()


def test_the_pauses_of_a_text_are_bounded():
    with pytest.raises(BadRequest, match="60 s"):
        planned("[pause:9s]a" * 7)


@pytest.mark.parametrize(
    "text",
    ["a < b and b > a", "<breakfast> now", "He said so. Then he left.", "Wait ... what?", ""],
)
def test_plain_text_is_its_segments(text):
    assert planned(text).segments == segment(text)


@pytest.mark.parametrize("strip_markdown", [True, False])
def test_a_border_never_falls_between_a_number_and_its_item(strip_markdown):
    items = "\n".join(f"{n}. Beat the eggs as long and as well as you can" for n in range(1, 20))
    spoken = planned(items, strip_markdown=strip_markdown, normalise="off")
    assert len(spoken.segments) > 3
    for part in spoken.segments:
        assert part[0].isdigit()
        assert part.endswith("can.") or part is spoken.segments[-1]


@pytest.mark.parametrize(
    ("text", "strip_markdown"),
    [
        ("# Shopping\n\n- Milk\n- Two loaves of bread\n\n**That is all**", True),
        ("Shopping\n\n- Milk\n- Two loaves of bread\n\nThat is all", False),
        ("Shopping\n\nMilk\n\nTwo loaves of bread\n\nThat is all", False),
        ("<p>Shopping</p><p>Milk</p><p>Two loaves of bread</p>That is all", False),
    ],
)
def test_blocks_are_not_joined(text, strip_markdown):
    words = said(text, strip_markdown=strip_markdown)
    assert words == "Shopping. Milk. Two loaves of bread. That is all"


def test_cells_are_parted_by_commas():
    text = "| Day | Meal |\n|---|---|\n| Monday | Soup |"
    assert said(text, strip_markdown=True) == "Day, Meal. Monday, Soup"
    assert said(text) == "Day, Meal. Monday, Soup"


def test_a_separator_is_dropped_wherever_it_stands():
    for mark in ("* * * * *", "-----", "* * *\n* * *", "═════"):
        assert said(f"Yes, I do.\n{mark}\nAnd no.") == "Yes, I do. And no."


def test_reasoning_is_left_out_with_markdown():
    spoken = planned("<think>[pause:99s] <b>Hm.</think>Fine.", strip_markdown=True)
    assert spoken.segments == ("Fine.",)
    assert [each.reason for each in spoken.dropped] == ["reasoning"]


def test_emoji_never_reach_a_model_that_has_no_token_for_them():
    assert said("Great 🙂! Yes 👍🏽", characters=ENGLISH) == "Great! Yes"
    assert said("Great 🙂!", strip_emoji=True) == "Great!"
    assert said("Great 🙂!") == "Great 🙂!"  # a model that reads all characters


def test_what_was_dropped_is_told_with_its_place():
    text = "Ok 🙂, Привет [laugh] you"
    spoken = planned(text, characters=ENGLISH)
    assert spoken.segments == ("Ok, you",)
    assert {(each.reason, text[each.start : each.end]) for each in spoken.dropped} == {
        ("emoji", "🙂"),
        ("unreadable", "Привет"),
        ("tag", "[laugh]"),
    }
    assert all(each.text == text[each.start : each.end] for each in spoken.dropped)
    assert spoken.num_dropped_chars == 1 + 6 + 7


@pytest.mark.parametrize("text", ["Привет, мир", "你好。", "Привет [pause:1s] мир"])
def test_a_text_of_which_nothing_is_readable_is_refused(text):
    with pytest.raises(BadRequest) as refused:
        planned(text, characters=ENGLISH)
    assert (refused.value.code, refused.value.param) == ("unsupported_characters", "input")


def test_a_text_without_words_is_empty_and_not_unreadable():
    for text in ("🙂", "…", "[laugh]", "---"):
        assert planned(text, characters=ENGLISH).segments == ()


def test_a_tag_of_the_model_is_spoken():
    assert said("[laugh] Oh well.", tags=("laugh",)) == "[laugh] Oh well."


def test_a_pronunciation_and_an_alias_are_said_as_they_are():
    entries = (Pronunciation("Dr", "drive 5"), Pronunciation("5", "fünf"))
    text = 'Lee Dr is <sub alias="5 km">x</sub> and 5'
    assert said(text, pronunciations=entries, normalise="off") == "Lee drive 5 is 5 km and fünf"
    assert "drive 5" in said(text, pronunciations=entries)
    assert "5 km" in said(text, pronunciations=entries)


def test_an_unreadable_pronunciation_is_folded():
    entries = (Pronunciation("cafe", "café"),)
    assert said("my cafe", pronunciations=entries, characters=ENGLISH) == "my cafe"


def test_every_word_names_what_it_came_from():
    text = '# Pay **$5** for <sub alias="two eggs">2x</sub> 🙂 at ﬁve\n\nNow'
    spoken = planned(text, strip_markdown=True, characters=ENGLISH, normalise="off")
    assert [(word.text, text[word.start : word.end]) for word in words(spoken)] == [
        ("Pay", "Pay"),
        ("$5", "$5"),
        ("for", "for"),
        ("two", "2x"),
        ("eggs", "2x"),
        ("at", "at"),
        ("five.", "ﬁve"),
        ("Now", "Now"),
    ]


PIECES = [
    *("Hello there. ", "one two ", "$5.3 billion ", "9:30PM ", "2026-11-24 ", "Henry VIII "),
    *("\n\n", "\n", "# Head ", "- item ", "1. first ", "**bold** ", "[a](http://b.c) ", "* * *\n"),
    *("<speak>", "</speak>", "<p>", '<sub alias="x y">z</sub>', "<break/>", "&amp;", "[pause:1s]"),
    *(
        "🙂",
        "Привет ",
        "ﬁne ",
        "a\u00adb ",
        "½ ",
        "[laugh] ",
        "<think>x</think>",
        "“Q. R.” ",
        "你好。",
    ),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=20).map("".join) | st.text(max_size=200)
RULES = st.builds(
    TextRules,
    language=st.sampled_from(["en", "de", "zh", None]),
    normalise=st.sampled_from(["auto", "off"]),
    strip_markdown=st.booleans(),
    strip_emoji=st.booleans(),
    pronunciations=st.sampled_from([(), (Pronunciation("two", "deux trois"),)]),
    max_segment_chars=st.integers(40, 300),
    characters=st.sampled_from([None, ENGLISH]),
    tags=st.sampled_from([(), ("laugh",)]),
)


@given(TEXTS, RULES)
def test_places_are_in_order_apart_and_within_the_text(text, rules):
    try:
        spoken = plan_text(text, rules)
    except BadRequest:
        return
    found = words(spoken)
    assert all(0 <= word.start <= word.end <= len(text) for word in found)
    for before, after in pairwise(found):
        same = (before.start, before.end) == (after.start, after.end)
        assert same or before.end <= after.start
    assert len(spoken.words) == len(spoken.segments) == len(spoken.pauses_s) - 1


@given(TEXTS, RULES)
def test_every_spoken_word_has_a_place(text, rules):
    try:
        spoken = plan_text(text, rules)
    except BadRequest:
        return
    for part, part_words in zip(spoken.segments, spoken.words, strict=True):
        assert letters(part) == letters("".join(word.text for word in part_words))
        assert all(word.start < word.end for word in part_words)
        assert len(part) <= rules.max_segment_chars


def letters(text):
    return [char for char in text if char.isalnum()]
