"""What is open between two takes."""

from app.text.open_markup import OpenMarkup, Reasoning


def test_a_take_of_an_ssml_document_begins_as_one():
    opened = OpenMarkup(reads_markdown=False)
    assert opened.before("<speak>One. ") == ""
    assert opened.before("Two.") == "<speak>"
    assert OpenMarkup(reads_markdown=False).before("Two.") == ""


def test_a_take_within_code_begins_as_code():
    opened = OpenMarkup(reads_markdown=True)
    assert opened.before("Look:\n```python\nx = 1. ") == ""
    assert opened.before("y = 2\n``") == "```\n"
    assert opened.before("`\nDone. ") == "```\n"
    assert opened.before("More.") == ""


def test_a_take_within_a_table_begins_with_an_empty_head():
    opened = OpenMarkup(reads_markdown=True)
    opened.before("| a | b |\n|---|---|\n| 1 | 2. |\n")
    assert opened.before("| 3 | 4 |\n\n") == "| | |\n|-|-|\n"
    assert opened.before("Done.") == ""


def test_plain_text_repeats_nothing():
    opened = OpenMarkup(reads_markdown=False)
    opened.before("```\n| a |\n|---|\n")
    assert opened.before("x") == ""


def test_reasoning_ends_with_its_own_end():
    reasoning = Reasoning()
    assert reasoning.begin("Yes. <Think>") == "Yes. "
    taken = [char for char in "a </b> </thinking> </THINK>No" if reasoning.takes(char)]
    assert "".join(taken) == "a </b> </thinking> </THINK>"


def test_other_text_begins_no_reasoning():
    reasoning = Reasoning()
    assert reasoning.begin("a <b>") == "a <b>"
    assert not reasoning.takes("x")
