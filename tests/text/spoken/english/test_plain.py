"""What is left: numbers of a list, ordinals, versions, scales, marks, bare numbers."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1. Boil it.\n2. Fry it.", "one, Boil it.\ntwo, Fry it."),
        ("Do this: 1. Boil. 2. Fry.", "Do this: one, Boil. two, Fry."),
        ("(1) Boil (2) fry", "one, Boil two, fry"),
        ("I have 2. Then 3.", "I have two. Then three."),
        ("2ND 1,000th", "second one thousandth"),
        ("v2.0.1 and 10.0.2", "version two point zero point one and ten point zero point two"),
        ("5k, 2.5M, 3bn", "five thousand, two point five million, three billion"),
        (
            "007, 0.50, .5",
            "zero zero seven, zero point five zero, point five",
        ),
        ("#1 of 3a, 50+", "number one of three a, fifty plus"),
        ("salt & pepper @ home", "salt and pepper at home"),
        ("C++ a==b", "C plus plus a equals b"),
        ("and/or ©2024 Acme™", "and slash or copyright twenty twenty-four Acme"),
    ],
)
def test_the_rest_is_said(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Total: 5. Thanks!", "Total: five. Thanks!"),
        ("Answer: 4. Good job.", "Answer: four. Good job."),
        ("See Ch. 5. It is long.", "See chapter five. It is long."),
        ("She is No. 1. We won.", "She is number one. We won."),
        ("On Oct. 5. We left.", "On October fifth. We left."),
    ],
)
def test_a_number_at_the_end_of_a_sentence_is_no_item(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Do this: 1. Mix. 2. Bake.", "Do this: one, Mix. two, Bake."),
        ("Go on: 3. Mix. 4. Bake.", "Go on: three, Mix. four, Bake."),
    ],
)
def test_items_in_a_line_are_items(text, words):
    assert said(text) == words
