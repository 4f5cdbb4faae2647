import pytest

from benchmarks import streaming
from benchmarks.streaming import _row
from tests.support.last_line import run_main, run_script
from tests.support.players import player_of

OPTIONS = ("--model", "embedded-turbo", "--device", "cpu", "--rounds", "1")
TEXT = ("--text", "Thank you for calling.")


def test_the_last_line_is_one_json_object(monkeypatch, capsys):
    options = (*OPTIONS, *TEXT, "--num-streams", "1,2")
    _, result = run_main(streaming, monkeypatch, capsys, *options)
    assert (result["benchmark"], result["model"]) == ("streaming", "embedded-turbo")
    assert [row["num_streams"] for row in result["rows"]] == [1, 2]
    assert [row["num_heard"] for row in result["rows"]] == [1, 2]
    for row in result["rows"]:
        assert 0 < row["ttfa_ms"]["p50"] <= row["ttfa_ms"]["p95"]
        assert 0 <= row["needed_prebuffer_ms"]["p50"] <= row["needed_prebuffer_ms"]["p95"]
        assert row["audio_s_per_s"] > 0
        assert row["told_prebuffer_ms"]["p50"] is None


@pytest.mark.long
def test_the_script_runs_from_a_checkout_and_paced_players_are_told_their_prebuffer():
    options = (*OPTIONS, *TEXT, "--num-streams", "1", "--start", "soonest")
    _, result = run_script("streaming.py", *options)
    (row,) = result["rows"]
    assert (result["benchmark"], result["start"]) == ("streaming", "soonest")
    assert row["told_prebuffer_ms"]["p50"] is not None


def test_a_wait_of_more_than_100_ms_is_a_stall():
    players = [player_of(0.1 * n, 10.0, late_s) for n, late_s in ((1, 0.0), (2, 0.09), (3, 0.11))]
    row = _row(3, players, took_s=15.0)
    assert (row["num_stalled"], row["longest_stall_ms"]) == (1, 110.0)
    assert row["ttfa_ms"] == {"p50": 200.0, "p95": 300.0}
    assert row["needed_prebuffer_ms"] == {"p50": 90.0, "p95": 110.0}
    assert row["audio_s_per_s"] == 2.0
