"""The T3 benchmark needs no Ray, and its last line has the documented figures."""

import re

import pytest
import torch

from app.engine.checkpoint.source import open_checkpoint
from benchmarks import t3
from benchmarks.t3_sides import load
from tests.support.engine.int8 import needs_int8
from tests.support.last_line import run_main, run_script

OPTIONS = ["--device", "cpu", "--num-sequences", "1,3", "--tokens", "4", "--rounds", "1"]


@pytest.mark.parametrize("model", ["embedded-babble", "embedded-turbo"])
def test_the_last_line_is_one_json_object(model, monkeypatch, capsys):
    output, result = run_main(t3, monkeypatch, capsys, "--model", model, *OPTIONS)
    assert list(result) == [
        "benchmark",
        "model",
        "device",
        "dtype",
        "floor_ms_per_step",
        "upstream_tokens_per_s",
        "rows",
        "peak_memory_mb",
    ]
    assert [result["benchmark"], result["model"], result["dtype"]] == ["t3", model, "float32"]
    assert [row["num_sequences"] for row in result["rows"]] == [1, 3]
    for row in result["rows"]:
        assert list(row) == [
            "num_sequences",
            "tokens_per_s",
            "ms_per_step",
            "ratio_to_upstream",
            "ratio_to_bare",
        ]
        assert all(value > 0 for value in row.values())
        assert row["ms_per_step"] == pytest.approx(
            1e3 * row["num_sequences"] / row["tokens_per_s"], rel=0.01
        )
        ratio = row["tokens_per_s"] / result["upstream_tokens_per_s"]
        assert row["ratio_to_upstream"] == pytest.approx(ratio, rel=0.01)
    assert "floor:" in output
    assert "first token after" in output
    assert re.search(
        r"steps that began with the sequence after the call: [01]$", output, re.MULTILINE
    )


@pytest.mark.parametrize("model", ["embedded-babble", "embedded-turbo"])
def test_the_cost_of_words_is_measured_by_turns(model, monkeypatch, capsys):
    _, result = run_main(t3, monkeypatch, capsys, "--model", model, *OPTIONS, "--words")
    assert [result["benchmark"], result["model"]] == ["t3-words", model]
    assert [row["num_sequences"] for row in result["rows"]] == [1, 3]
    for row in result["rows"]:
        assert list(row)[1:] == ["ms_per_step", "ms_per_step_with_words", "cost_percent"]
        assert row["ms_per_step_with_words"] > 0


@pytest.mark.long
def test_the_script_runs_from_a_checkout():
    _, result = run_script("t3.py", "--model", "embedded-turbo", *OPTIONS)
    assert result["benchmark"] == "t3"


@pytest.mark.parametrize("counts", ["0", "1,-8", "one"])
def test_a_number_of_sequences_below_one_is_refused(counts, capsys):
    with pytest.raises(SystemExit):
        t3.parse(["--num-sequences", counts])
    assert "--num-sequences" in capsys.readouterr().err


@needs_int8
def test_our_engine_in_int8_is_measured_beside_the_others_in_float32(monkeypatch, capsys):
    _, result = run_main(
        t3, monkeypatch, capsys, "--model", "embedded-turbo", *OPTIONS, "--dtype", "int8"
    )
    assert result["dtype"] == "int8"


def test_the_floor_in_int8_reads_a_quarter_of_the_bytes():
    subject = load(open_checkpoint("embedded-turbo"), torch.device("cpu"), torch.float32)
    in_int8, in_float32 = (t3._bytes_per_step(subject, in_int8=each) for each in (True, False))
    assert in_float32 == 4 * in_int8


@pytest.mark.full
@needs_int8
def test_two_commits_take_turns(monkeypatch, capsys):
    """Here both are this one."""
    more = ["--dtype", "int8", "--before", "."]
    _, result = run_main(t3, monkeypatch, capsys, "--model", "embedded-turbo", *OPTIONS, *more)
    assert result["benchmark"] == "t3-before"
    assert [row["num_sequences"] for row in result["rows"]] == [1, 3]
    for row in result["rows"]:
        assert row["ratio"] > 0
