import pytest

from benchmarks import s3gen
from tests.support.last_line import run_main, run_script

OPTIONS = ("--model", "embedded-turbo", "--device", "cpu", "--rounds", "1", "--utterance-s", "1")


def test_the_last_line_is_one_json_object(monkeypatch, capsys):
    rows = ("--policy", "window,chunked", "--num-streams", "1,2")
    output, result = run_main(s3gen, monkeypatch, capsys, *OPTIONS, *rows)
    assert list(result) == ["benchmark", "model", "device", "dtype", "upstream_whole_s", "rows"]
    assert (result["benchmark"], result["model"]) == ("s3gen", "embedded-turbo")
    whole_s = result["upstream_whole_s"]["1"]
    kinds = [(row["policy"], row["num_streams"]) for row in result["rows"]]
    assert kinds == [(policy, n) for policy in ("window", "chunked") for n in (1, 2)]
    for row in result["rows"]:
        assert 0 < row["first_sound_s"] <= row["first_second_s"] <= row["total_s"]
        audio_s = row["num_streams"]
        assert row["audio_s_per_s"] == pytest.approx(audio_s / row["total_s"], rel=0.05)
        cost = row["total_s"] / (row["num_streams"] * whole_s)
        assert row["cost_ratio_to_upstream"] == pytest.approx(cost, rel=0.05)
    assert "GFLOP" in output
    assert "watermark, measured separately" in output


@pytest.mark.long
def test_the_script_runs_from_a_checkout():
    _, result = run_script("s3gen.py", *OPTIONS)
    assert result["benchmark"] == "s3gen"


@pytest.mark.parametrize(("flag", "value"), [("--num-streams", "0"), ("--policy", "some")])
def test_a_faulty_option_is_refused(flag, value, capsys):
    with pytest.raises(SystemExit):
        s3gen.parse([flag, value])
    assert flag in capsys.readouterr().err
