"""Times of day and durations in English."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("9.30pm", "nine thirty PM"),
        ("0:15", "zero fifteen"),
        ("14:00", "fourteen hundred hours"),
        ("12:30:15", "twelve thirty and fifteen seconds"),
        ("25:00", "twenty-five to zero zero"),
        ("9am-5pm", "nine AM to five PM"),
        ("9-11 a.m.", "nine to eleven AM."),
        ("It is 9 p.m. Then we eat.", "It is nine PM. Then we eat."),
        ("It is 9 p.m. on Monday.", "It is nine PM on Monday."),
        ("9 p.m. EST", "nine PM E S T"),
        (
            "2h30m, 1h 1min, 5m10s",
            "two hours thirty minutes, one hour one minute, five minutes ten seconds",
        ),
    ],
)
def test_a_time_is_said(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3:45.2 min", "three minutes forty-five point two seconds"),
        ("(UTC-8), GMT+5:30", "(U T C minus eight), G M T plus five thirty"),
    ],
)
def test_the_time_of_a_race_and_a_zone_are_said(text, words):
    assert said(text) == words
