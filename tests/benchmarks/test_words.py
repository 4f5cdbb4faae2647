"""The benchmark of word times: how errors are counted, and its last line."""

import pytest

from benchmarks import words
from benchmarks.forced_alignment import Heard
from benchmarks.word_errors import Errors
from tests.support.last_line import run_main, run_script


def test_errors_are_spread_around_their_median():
    errors = Errors()
    for late_ms in (-10.0, 0.0, 50.0):
        errors.add(Heard("", 100 + late_ms, 200), Heard("", 100, 200))
    row = errors.row()
    assert (row["start_median_ms"], row["start_p50_ms"], row["end_p90_ms"]) == (0.0, 10.0, 0.0)


@pytest.mark.long
def test_the_last_line_has_the_errors_beside_those_of_the_control(monkeypatch, capsys):
    _, result = run_main(words, monkeypatch, capsys, "--sentences", "4")
    assert (result["benchmark"], result["model"]) == ("words", "embedded")
    assert result["words"] > 20
    assert result["estimated"] == 0
    assert result["start_p50_ms"] < result["proportional"]["start_p50_ms"]
    assert result["known_early_ms_p50"] > 0
    assert set(result["voices"]) >= {"bela"}


@pytest.mark.long
def test_the_script_runs_from_a_checkout():
    _, result = run_script("words.py", "--sentences", "1")
    assert result["benchmark"] == "words"


@pytest.mark.parametrize("number", ["0", "101"])
def test_a_number_of_sentences_beyond_the_corpus_is_refused(number, capsys):
    with pytest.raises(SystemExit):
        words.parse(["--sentences", number])
    assert "--sentences" in capsys.readouterr().err
