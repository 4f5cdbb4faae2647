"""Initialisms are spelled; acronyms and shouted words are not."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The FBI and NASA", "The F B I and NASA"),
        ("CPUs and the CPU's fan", "C P U's and the C P U's fan"),
        ("STOP THE FBI", "STOP THE FBI"),
        ("TTS, HTML, GmbH", "T T S, H T M L, GmbH"),
        ("R&D, Q & A", "R and D, Q and A"),
        ("MP3, H₂O, A4, 3D, 1080p", "M P three, H two O, A four, three D, ten eighty p"),
        ("GPT-4, COVID-19", "G P T-four, COVID-nineteen"),
    ],
)
def test_capitals_are_said(text, words):
    assert said(text) == words
