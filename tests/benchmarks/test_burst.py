import pytest

from benchmarks import burst
from benchmarks.burst_sides import TEXTS
from tests.support.last_line import run_main

OPTIONS = ("--model", "embedded-babble", "--rounds", "1", "--callers", "1,2")


@pytest.mark.long
def test_the_last_line_is_one_json_object(monkeypatch, capsys):
    output, result = run_main(burst, monkeypatch, capsys, *OPTIONS, "--base", str(burst.ROOT))
    assert list(result) == ["benchmark", "model", "rows"]
    kinds = [(row["callers"], row["side"]) for row in result["rows"]]
    assert kinds == [(1, "this"), (1, "base"), (2, "this"), (2, "base")]
    for row in result["rows"]:
        assert 0 < row["first_sound_ms"] <= row["last_first_sound_ms"]
        assert row["audio_s_per_s"] > 0
        assert row["legs_ms"]["first_cell"] > 0
    assert [row["ratio"] for row in result["rows"][:2]] == [1.0, 1.0]
    assert "last_first_sound_ms" in output


@pytest.mark.parametrize("counts", ["0", "9"])
def test_a_number_of_callers_without_texts_is_refused(counts, capsys):
    assert len(TEXTS) == burst.MOST_CALLERS
    with pytest.raises(SystemExit):
        burst.parse(["--callers", counts])
    assert "--callers" in capsys.readouterr().err
