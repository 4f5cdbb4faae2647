"""The lengths of the texts have their shares. The seed determines the texts."""

import random

import pytest

from loadtests.texts import LENGTHS, draw_num_chars, draw_text

NUM_DRAWN = 4000


@pytest.mark.parametrize(("share", "shortest", "longest"), LENGTHS)
def test_each_length_has_its_share(share, shortest, longest):
    rng = random.Random(1)
    drawn = [draw_num_chars(rng) for _ in range(NUM_DRAWN)]
    found = sum(shortest <= num <= longest for num in drawn) / NUM_DRAWN
    assert found == pytest.approx(share, abs=0.03)


def test_the_shares_cover_all_lengths():
    assert sum(share for share, _, _ in LENGTHS) == pytest.approx(1)
    rng = random.Random(2)
    assert {draw_num_chars(rng) for _ in range(NUM_DRAWN)} <= set(range(8, 601))


def test_a_text_has_the_drawn_length():
    for seed in range(200):
        assert len(draw_text(random.Random(seed))) == draw_num_chars(random.Random(seed))


def test_the_seed_determines_the_text():
    assert draw_text(random.Random(7)) == draw_text(random.Random(7))
    assert draw_text(random.Random(7)) != draw_text(random.Random(8))


def test_every_text_has_letters():
    for seed in range(200):
        assert any(letter.isalpha() for letter in draw_text(random.Random(seed)))
