"""The benchmark of babble: what is injected, and its last line."""

import random

import pytest

from benchmarks import babble
from tests.support.last_line import run_main, run_script

WORDS = "one two three four five six"


@pytest.mark.parametrize(
    ("kind", "num_words"),
    [("good", 6), ("tail", 6), ("repeated-1", 7), ("repeated-3", 9), ("skipped-2", 4)],
)
def test_words_are_repeated_or_left_out_in_the_middle(kind, num_words):
    said = babble._said(kind, WORDS, random.Random(1)).split()
    assert len(said) == num_words
    assert (said[0], said[-1]) == ("one", "six")


@pytest.mark.long
def test_the_last_line_has_the_share_that_was_found_of_each_kind(monkeypatch, capsys):
    _, result = run_main(babble, monkeypatch, capsys, "--utterances", "4")
    assert list(result)[:3] == ["benchmark", "model", "utterances"]
    assert list(result)[3:7] == list(babble.BOUNDS)
    assert list(result["found"]) == list(babble.KINDS[1:])
    assert result["found"]["tail"] == 1.0
    assert result["false_alarms"] <= 0.25


@pytest.mark.long
def test_the_script_runs_from_a_checkout():
    _, result = run_script("babble.py", "--utterances", "1")
    assert result["benchmark"] == "babble"


def test_a_number_of_utterances_below_one_is_refused(capsys):
    with pytest.raises(SystemExit):
        babble.parse(["--utterances", "0"])
    assert "--utterances" in capsys.readouterr().err
