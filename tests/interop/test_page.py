import pytest

from interop.page import PAGE, with_part

BEFORE = "Before.\n<!-- made by make interop -->\nold\ntable\n<!-- end -->\nBehind.\n"


def test_a_part_is_replaced_and_the_rest_stays():
    after = with_part(BEFORE, "make interop", "new")
    assert after == "Before.\n<!-- made by make interop -->\nnew\n<!-- end -->\nBehind.\n"


def test_a_page_without_the_part_is_told():
    with pytest.raises(ValueError, match="0 parts"):
        with_part(BEFORE, "make coffee", "new")


@pytest.mark.parametrize(
    "command", [f"python -m interop.{part}" for part in ("agents", "realtime")] + ["make interop"]
)
def test_the_page_has_each_part(command):
    assert with_part(PAGE.read_text(), command, "new") != PAGE.read_text()
