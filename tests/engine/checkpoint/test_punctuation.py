"""Our table of punctuation gives the results of upstream's three functions, for any text."""

import pytest
from chatterbox import mtl_tts, tts, tts_turbo
from hypothesis import given
from hypothesis import strategies as st

from app.engine.checkpoint.punctuation import punctuated
from app.engine.checkpoint.spec import Family

UPSTREAM = {
    "english": tts.punc_norm,
    "multilingual": mtl_tts.punc_norm,
    "turbo": tts_turbo.punc_norm,
}
REPLACED = ["...", "…", ":", " - ", ";", "—", "\u2013", " ,", "“", "”", "\u2018", "\u2019"]
ENDERS = [*".!?-,", *"、\uff0c。\uff1f\uff01"]
SPACES = [" ", "  ", "\n", "\t", "\u00a0", "\u2003", "\u3000", "\x1c"]
LETTERS = ["a", "B", "ß", "\u01c6", "ﬁ", "é", "月", "ά", "\U00010428", "1"]
ODD = ["\ud800", "\udfff", "\x00", "\u200b", "\u0301", "😀", '"', "'", "(", "·"]

families = pytest.mark.parametrize("family", UPSTREAM)


def assert_as_upstream(text: str, family: Family) -> None:
    assert punctuated(text, family) == UPSTREAM[family](text), ascii(text)


@families
def test_empty_texts_and_spaces_are_as_upstreams(family: Family) -> None:
    for text in ("", *SPACES, " \n "):
        assert_as_upstream(text, family)


@families
@pytest.mark.parametrize("part", [*REPLACED, *ENDERS, *SPACES, *LETTERS, *ODD])
def test_every_sequence_at_every_place_is_as_upstreams(family: Family, part: str) -> None:
    for text in (
        part,
        part * 2,
        part * 4,
        f"{part}a",
        f"a{part}",
        f"a {part} b",
        f"a{part}b{part}",
    ):
        assert_as_upstream(text, family)


@families
def test_every_pair_of_sequences_is_as_upstreams(family: Family) -> None:
    """The result of one replacement may be replaced by a later one."""
    parts = [*REPLACED, *ENDERS, *SPACES, "a", "."]
    for first in parts:
        for second in parts:
            assert_as_upstream(f"{first}{second}", family)
            assert_as_upstream(f"x{first}{second}y", family)


@families
@given(
    st.one_of(
        st.text(st.characters()),  # surrogates too
        st.lists(st.sampled_from([*REPLACED, *ENDERS, *SPACES, *LETTERS, *ODD])).map("".join),
    )
)
def test_any_text_is_as_upstreams(family: Family, text: str) -> None:
    assert_as_upstream(text, family)


def test_the_families_differ_where_upstreams_do() -> None:
    """Without a difference the tests above would pass with one table for all families."""
    assert punctuated("a; b", "english") != punctuated("a; b", "turbo")
    assert punctuated("月。", "english") != punctuated("月。", "multilingual")
