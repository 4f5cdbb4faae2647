from benchmarks.streaming import Playback, _row
from tests.support.last_line import run


def test_the_last_line_is_one_json_object():
    options = ("--model", "embedded-turbo", "--device", "cpu", "--rounds", "1")
    more = ("--num-streams", "1,2", "--text", "Thank you for calling.")
    _, result = run("streaming.py", *options, *more)
    assert (result["benchmark"], result["model"]) == ("streaming", "embedded-turbo")
    assert [row["num_streams"] for row in result["rows"]] == [1, 2]
    assert [row["num_heard"] for row in result["rows"]] == [1, 2]
    for row in result["rows"]:
        assert 0 < row["ttfa_ms"]["p50"] <= row["ttfa_ms"]["p95"]
        assert row["audio_s_per_s"] > 0


def test_a_wait_of_more_than_100_ms_is_a_stall():
    playbacks = [
        Playback(0.1 * n, stalled_s, 10.0) for n, stalled_s in ((1, 0.0), (2, 0.1), (3, 0.11))
    ]
    row = _row(3, playbacks, took_s=15.0)
    assert row["stalled_streams"] == 1
    assert row["ttfa_ms"] == {"p50": 200.0, "p95": 300.0}
    assert row["audio_s_per_s"] == 2.0
