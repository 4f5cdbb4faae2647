"""Lengths of what is asked for: the stated shares, the same for the same seed."""

import random

import pytest

from loadtests.texts import LENGTHS, num_chars_drawn, text_drawn

NUM_DRAWN = 4000


@pytest.mark.parametrize(("share", "shortest", "longest"), LENGTHS)
def test_each_length_has_its_share(share, shortest, longest):
    chance = random.Random(1)
    drawn = [num_chars_drawn(chance) for _ in range(NUM_DRAWN)]
    found = sum(shortest <= num <= longest for num in drawn) / NUM_DRAWN
    assert found == pytest.approx(share, abs=0.03)


def test_no_length_is_left_out_or_over():
    assert sum(share for share, _, _ in LENGTHS) == pytest.approx(1)
    chance = random.Random(2)
    assert {num_chars_drawn(chance) for _ in range(NUM_DRAWN)} <= set(range(8, 601))


def test_a_text_is_as_long_as_was_drawn():
    for seed in range(200):
        assert len(text_drawn(random.Random(seed))) == num_chars_drawn(random.Random(seed))


def test_the_same_seed_says_the_same():
    assert text_drawn(random.Random(7)) == text_drawn(random.Random(7))
    assert text_drawn(random.Random(7)) != text_drawn(random.Random(8))


def test_every_text_has_something_to_speak():
    for seed in range(200):
        assert any(letter.isalpha() for letter in text_drawn(random.Random(seed)))
