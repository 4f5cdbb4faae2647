"""A take knows where its characters stand in the whole text."""

from app.text.takes import Take

TAKE = Take("a bc", (3, 4, 7, 8))


def test_a_range_of_a_take_is_a_range_of_the_text():
    assert TAKE.span(0, 1) == (3, 4)
    assert TAKE.span(2, 4) == (7, 9)
    assert TAKE.span(0, 4) == (3, 9)


def test_an_empty_range_lies_behind_the_character_before_it():
    assert TAKE.span(2, 2) == (5, 5)
    assert TAKE.span(0, 0) == (3, 3)
    assert Take("", ()).span(0, 0) == (0, 0)


def test_a_whole_text_is_its_own_take():
    assert Take.whole("abc").span(1, 3) == (1, 3)
