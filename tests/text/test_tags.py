"""A model's tags, and reasoning."""

import pytest

from app.text.spans import SpannedText
from app.text.tags import REASONING, TAG, open_bracket_at, tags, without_reasoning


def rewritten(text, replacements):
    return SpannedText.of(text).replaced(replacements)


def test_a_tag_of_the_model_stays_as_the_model_writes_it():
    spoken = rewritten(
        "[Laugh] Oh [clear throat].", tags("[Laugh] Oh [clear throat].", ("laugh", "clear throat"))
    )
    assert spoken.text == "[laugh] Oh [clear throat]."
    assert spoken.finals[:7].all()


def test_a_tag_on_a_model_without_it_is_dropped_and_told():
    replacements = tags("[laugh] Oh [Sigh] well.", ())
    assert rewritten("[laugh] Oh [Sigh] well.", replacements).text == " Oh  well."
    assert [each.dropped for each in replacements] == [TAG, TAG]


@pytest.mark.parametrize(
    "tag",
    ["laughs", "Laughter", "music", "APPLAUSE", "clears throat", "sighs deeply", "giggles",
     "softly laughing", "whispers", "coughs", "gasps", "deep breath"],
)  # fmt: skip
def test_stage_directions_as_others_write_them_are_dropped_and_told(tag):
    text = f"Oh [{tag}] well."
    assert rewritten(text, tags(text, ("laugh",))).text == "Oh  well."
    assert [each.dropped for each in tags(text, ())] == [TAG]


def test_a_model_may_have_a_tag_that_is_a_stage_direction():
    assert rewritten("[Laughs] Oh.", tags("[Laughs] Oh.", ("laughs",))).text == "[laughs] Oh."


@pytest.mark.parametrize(
    "text", ["[1] says so", "[he left]", "array[laugh", "[laugh](http://a.b)", "no tags"]
)
def test_other_brackets_stay(text):
    assert tags(text, ("laugh",)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<think>Hm. <b>So</b>.</think>Fine.", "Fine."),
        ("Yes. <Thinking>\nlong\n</Thinking> No.", "Yes.  No."),
        ("Yes. <reasoning>never ends", "Yes. "),
        ("a</think>b", "ab"),
        ("I <thinker> therefore", "I <thinker> therefore"),
    ],
)
def test_reasoning_is_left_out(text, words):
    replacements = without_reasoning(text)
    assert rewritten(text, replacements).text == words
    assert {each.dropped for each in replacements} <= {REASONING}


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("Oh [lau", 3),
        ("Oh [", 3),
        ("Oh [clear thr", 3),
        ("Oh [laugh]", None),
        ("Oh [sighs deep", 3),
        ("Oh [clears", 3),
        ("Oh [them", None),
    ],
)
def test_a_tag_that_may_go_on_is_found(text, at):
    assert open_bracket_at(text) == at
