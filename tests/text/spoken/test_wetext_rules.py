"""The grammars of wetext are given one form at a time, and what they cannot say stays."""

import pytest

from app.text.spoken import wetext_rules
from app.text.spoken.rules import apply_rules


def test_the_words_replace_the_form_alone_though_its_neighbours_were_read():
    rules = (wetext_rules.wetext_rule("zh"),)
    text = "我有2只猫。"
    [found] = apply_rules(text, rules)
    assert (text[found.start : found.end], found.say) == ("2", "两")


def test_a_failing_grammar_leaves_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def normalize(self, text: str) -> str:
            raise AssertionError

    monkeypatch.setattr(wetext_rules, "_normalizer", lambda language: Failing())
    assert wetext_rules.said("", "987654", "", "zh") is None


def test_a_grammar_that_changes_the_neighbours_is_asked_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Greedy:
        def normalize(self, text: str) -> str:
            return "five" if text == "5" else "changed"

    monkeypatch.setattr(wetext_rules, "_normalizer", lambda language: Greedy())
    assert wetext_rules.said("前", "5", "後", "ja") == "five"


def test_a_very_long_run_is_no_form():
    rules = (wetext_rules.wetext_rule("zh"),)
    assert apply_rules("1-" * 50, rules) == []
