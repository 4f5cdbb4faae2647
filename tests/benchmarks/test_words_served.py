"""The benchmark of word times through a server, and how what was heard is compared."""

import pytest

from app.config import ServeArgs
from app.engine.synthesizer import LocalSynthesizer
from benchmarks import words_served
from benchmarks.heard_cuts import Cut, agreement
from tests.support.api_clients import serving
from tests.support.last_line import run_main


def test_what_was_heard_is_compared_with_words_that_end_and_with_words_half_over():
    heard = (3, 3, 3), (3, 2, 3), (0, 0, 1), (5, 2, 3)
    early_ms = [100.0, 500.0], [], [], [300.0]
    cuts = [Cut(*each, early) for each, early in zip(heard, early_ms, strict=True)]
    shares = agreement(cuts)
    assert (shares["half_exact"], shares["half_within_one"]) == (0.5, 0.75)
    assert (shares["ended_exact"], shares["ended_within_one"]) == (0.5, 0.75)
    assert (shares["n"], shares["told_early_ms_p50"]) == (4, 300.0)


@pytest.mark.parametrize("number", ["0", "101"])
def test_a_number_of_sentences_beyond_the_corpus_is_refused(number, capsys):
    with pytest.raises(SystemExit):
        words_served.parse(["--sentences", number])
    assert "--sentences" in capsys.readouterr().err


@pytest.mark.long
def test_each_format_and_each_cancel_is_compared_with_the_alignment(monkeypatch, capsys):
    synthesizer = LocalSynthesizer.open(ServeArgs(model="embedded"))
    with serving(synthesizer) as url:
        options = ("--url", url, "--sentences", "2", "--cancels", "6")
        _, result = run_main(words_served, monkeypatch, capsys, *options)
    synthesizer.close()
    rows = result["rows"]
    assert {"pcm, speed 1.5", "mp3, speed 1", "opus, speed 1", "pauses and numbers"} <= set(rows)
    assert all(row["words"] and row["start_p50_ms"] < 60 for row in rows.values())
    assert rows["pcm, speed 1"]["told_early_ms_p50"] > 0
    assert result["cancels"]["n"] == 6
    assert result["cancels"]["told_early_ms_p50"] > 0
    assert result["cancels"]["half_within_one"] > 0.5
