"""The benchmark of texts."""

from benchmarks.text import TEXTS, summary
from tests.support.last_line import run_script


def test_each_kind_of_text_is_read_and_its_time_told():
    _, report = run_script("text.py", "--rounds", "1")
    assert report["now_by_kind"].keys() == TEXTS.keys()
    assert all(0 < each["p50_ms"] <= each["p95_ms"] for each in report["now_by_kind"].values())


def test_a_side_is_summed_over_its_kinds():
    kinds = {"prose": [1.0, 2.0], "numbers": [3.0, 4.0]}
    told = summary({"now": kinds, "before": kinds})
    assert told["now"] == {"p50_ms": 2.5, "p95_ms": 3.85}
    assert told["before_by_kind"]["prose"]["p50_ms"] == 1.5
