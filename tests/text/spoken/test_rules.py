"""A form belongs to the first rule that finds it."""

from app.text.spans import Replacement
from app.text.spoken.rules import MAX_CHARS, apply_rules, rule


def say_x(match):
    return "x"


def test_a_later_rule_leaves_what_an_earlier_one_found():
    rules = (rule(r"b+", say_x), rule(r"[abc]", say_x))
    assert apply_rules("abbc", rules) == [
        Replacement(0, 1, "x"),
        Replacement(1, 3, "x"),
        Replacement(3, 4, "x"),
    ]


def test_the_group_form_alone_is_replaced():
    rules = (rule(r"a(?P<form>b)c", say_x),)
    assert apply_rules("abc", rules) == [Replacement(1, 2, "x")]


def test_a_rule_may_decline():
    assert apply_rules("abc", (rule(r"b", lambda match: None),)) == []


def test_words_that_are_as_written_replace_nothing():
    assert apply_rules("x", (rule(r"x", say_x),)) == []


def test_a_long_text_is_looked_at_in_pieces_that_end_between_words():
    text = "ab " * MAX_CHARS
    found = apply_rules(text, (rule(r"ab", say_x),))
    assert [text[each.start : each.end] for each in found] == ["ab"] * MAX_CHARS


def test_a_long_text_without_spaces_is_looked_at_too():
    found = apply_rules("ab" * MAX_CHARS, (rule(r"ab", say_x),))
    assert len(found) == MAX_CHARS
