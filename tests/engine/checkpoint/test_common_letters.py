"""The letters that two texts have in common, whatever stands between them."""

import random
import time

import pytest

from app.engine.checkpoint.common_letters import common_letters
from app.engine.checkpoint.text_origins import origins_of


@pytest.mark.parametrize(
    ("old", "new", "pairs"),
    [
        ("", "", []),
        ("", "ab", []),
        ("ab", "", []),
        ("ab", "ab", [(0, 0), (1, 1)]),
        ("a.b", "ab", [(0, 0), (2, 1)]),
        ("ab", "xaybz", [(0, 1), (1, 3)]),
        (".a", "a.", [(1, 0)]),  # a mark costs no letter
        ("...a", "a...", [(3, 0)]),
    ],
)
def test_equal_letters_stand_for_each_other_in_order(old, new, pairs):
    assert common_letters(old, new) == pairs


def test_all_letters_are_found_between_other_marks():
    drawn = random.Random(1)
    letters = "".join(drawn.choice("abc") for _ in range(200))
    texts = ["".join(letter + drawn.choice(("", ".", ", ")) for letter in letters) for _ in "12"]
    pairs = common_letters(*texts)
    same = [texts[0][a] for a, b in pairs if texts[0][a].isalnum()]
    assert "".join(same) == letters
    assert all(texts[0][a] == texts[1][b] for a, b in pairs)
    assert all(sorted(side) == list(side) for side in zip(*pairs, strict=True))


def test_a_text_with_many_marks_costs_no_time():
    """A caller chooses the text, and other streams wait meanwhile. With difflib: 89 s."""
    text = "a\N{HORIZONTAL ELLIPSIS}aa" * 500
    began_s = time.process_time()
    origins = origins_of(text, text.replace("\N{HORIZONTAL ELLIPSIS}", ", "))
    assert time.process_time() - began_s < 5
    assert origins[-1] == len(text) - 1
