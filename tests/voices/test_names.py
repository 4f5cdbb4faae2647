"""A voice may be called in any script; what could mislead a reader or a path is refused."""

import re
import unicodedata

import pytest

from app.voices.names import folded_name, plain_name, problem_of_name


@pytest.mark.parametrize(
    "name",
    [
        "Ann",
        "Zoë Müller-Lüdenscheidt",
        "O'Brien",
        "D\u2019Artagnan",
        "(Test) Anna [2]",
        "Anna & Bob, take #3!",
        "प्रिया शर्मा",
        "สมชาย",
        "محمد علي",
        "נועה",
        "山田 太郎",
        "김민준",
        "Đặng Thị Hương",
        "नमस्\u200dते",
        "7",
        "Anna 😀",
        "x" * 64,
    ],
)
def test_a_name_of_any_script_is_taken(name):
    assert problem_of_name(plain_name(name)) is None


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "1 to 64"),
        ("   ", "1 to 64"),
        ("x" * 65, "1 to 64"),
        ("a/b", "slash"),
        ("..\\x", "slash"),
        ("a\0b", "control"),
        ("a\r\nb", "control"),
        ("a\x1b[31m", "control"),
        ("a\u202eb", r"U\+202E"),
        ("a\u200bb", r"U\+200B"),
        ("a\ud800", "control"),
        ("...", "letter or a digit"),
        ("😀", "letter or a digit"),
    ],
)
def test_what_could_mislead_is_refused(name, problem):
    assert re.search(problem, problem_of_name(plain_name(name)))


def test_two_spellings_of_a_name_are_one_name():
    assert plain_name(unicodedata.normalize("NFD", "Zoë")) == "Zoë"
    assert plain_name("  Ann \u00a0 Smith\n") == "Ann Smith"


@pytest.mark.parametrize(
    "spelling", ["Bela", "BELA", " bela\n", "bela.wav", "Bela.MP3", "BELA .flac", "bela.webm"]
)
def test_spellings_of_one_name_fold_to_one_form(spelling):
    assert folded_name(spelling) == "bela"


@pytest.mark.parametrize(
    "other", ["bela.txt", "be la", "bel", "b\u00e9la", "bela.wav.zip", ".wav bela"]
)
def test_another_name_folds_to_another_form(other):
    assert folded_name(other) != "bela"


def test_a_name_of_another_script_folds_by_its_own_capitals():
    assert folded_name("\u0418\u0412\u0410\u041d") == folded_name("\u0438\u0432\u0430\u043d")
    assert folded_name("STRASSE") == folded_name("Stra\u00dfe")
