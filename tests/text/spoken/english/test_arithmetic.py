"""Signs between numbers are said as sums, ranges, sizes, ratios and fractions."""
# ruff: noqa: RUF001

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What's 6 x 7?", "What's six times seven?"),
        ("a 6 x 7 grid", "a six by seven grid"),
        ("x = 2 x 3", "x equals two times three"),
        ("(2 + 3) * 4 = 20", "two plus three times four equals twenty"),
        ("x² + y² = z²", "x squared plus y squared equals z squared"),
        ("10^6", "ten to the power of six"),
        ("10⁶", "ten to the power of six"),
        ("1920x1080", "nineteen twenty by ten eighty"),
        ("3 × 4 m, 3 × 4", "three by four meters, three times four"),
        ("~50, >5%, ≤ 3", "about fifty, more than five percent, at most three"),
        ("3:1 odds", "three to one odds"),
        ("50-50", "fifty fifty"),
        ("2½ cups, 3/8", "two and a half cups, three eighths"),
        ("7/5 and 24/7", "seven five and twenty-four seven"),
        ("pages 5 – 7", "pages five to seven"),
        ("a well-known 5-year-old", "a well-known five-year-old"),
    ],
)
def test_a_sign_is_said(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a 4-4-2 formation", "a four four two formation"),
        ("a 3-0-1 record", "a three zero one record"),
        ("Llama-3.1-70B", "Llama-three point one seventy B"),
        ("pages 10-20, a 5-10-minute walk", "pages ten to twenty, a five to ten-minute walk"),
        ("Psalm 23:1-4, John 3:16", "Psalm twenty-three one to four, John three sixteen"),
    ],
)
def test_a_chain_of_numbers_is_no_range(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("f(5) = 25", "f(five) equals twenty-five"),
        ("f(5) - 3 = 22", "f(five) minus three equals twenty-two"),
        ("(where 10 - 3 = 7)", "(where ten minus three equals seven)"),
        ("(3 + 4) * 2 = 14", "three plus four times two equals fourteen"),
    ],
)
def test_a_sum_keeps_a_bracket_that_it_did_not_open(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("4.5/5 stars", "four point five out of five stars"),
        ("rated 8/10", "rated eight out of ten"),
        ("a score of 3/7", "a score of three out of seven"),
        ("Page 1/5, step 2/3", "Page one of five, step two of three"),
        ("BP 120/80", "B P one hundred twenty over eighty"),
        ("I gave it 9/10 and got 1/2 back", "I gave it nine out of ten and got one half back"),
    ],
)
def test_a_stroke_that_counts_parts_is_no_fraction(text, words):
    assert said(text) == words
