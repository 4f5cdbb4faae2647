"""Pronunciations of several levels, and how much longer they may make a text."""

import pytest

from app.errors import BadRequest
from app.text.plan import TextRules, plan_text
from app.text.pronunciations import Pronunciation, check_growth, merged


def said(text, *entries):
    rules = TextRules(language="en", pronunciations=entries)
    return " ".join(plan_text(text, rules).segments)


def test_an_earlier_level_comes_first():
    request, tenant = Pronunciation("us", "we"), Pronunciation("US", "you ess", case_sensitive=True)
    assert said("US", *merged([request], [tenant])) == "we"
    assert said("US", *merged([], [request, tenant])) == "you ess"
    assert said("US us", *merged([], [Pronunciation("us", "them"), tenant])) == "you ess them"


def test_a_short_text_cannot_ask_for_hours_of_speech():
    long = (Pronunciation("a", "word " * 39 + "word"),)
    rules = TextRules(language="en", pronunciations=long)
    assert len(plan_text("a " * 20, rules).segments) > 10
    with pytest.raises(BadRequest) as refused:
        plan_text("a " * 2000, rules)
    assert refused.value.param == "pronunciations"
    check_growth("a " * 2000, "word " * 8000)
