"""The figures, plots and page of a report."""

from dataclasses import replace

import pytest

from loadtests.plots import plots
from loadtests.records import Kind, Outcome
from loadtests.report import page, write_report
from loadtests.summary import LEAST_FOR_P99, percentiles, summary, too_few_turns
from tests.support.loadtests.benches import GOOD

LEGS = {"claim": 2.0, "first_cell": 150.0, "first_audio": 160.0}
REPORTED = replace(GOOD, legs_ms=LEGS)
CANCELLED = replace(
    GOOD,
    session_id="b",
    outcome=Outcome.CANCELLED,
    cancelled_s=10.5,
    acknowledged_s=10.52,
    ack_state="stopped",
    legs_ms={"cancel_ack": 12.0},
)
STALLED = replace(
    GOOD,
    session_id="c",
    num_callers=4,
    num_stalls=2,
    longest_stall_ms=320.0,
    needed_prebuffer_ms=340.0,
    told_prebuffer_ms=20.0,
)
FAILED = replace(GOOD, session_id="<d>", kind=Kind.WHOLE, outcome=Outcome.FAILED, status=500)


def test_a_percentile_is_one_of_the_values():
    figures = percentiles([float(ms) for ms in range(100)] + [None])
    assert figures == {"n": 100, "p50": 50.0, "p95": 95.0, "p99": None}


def test_a_p99_needs_662_values():
    assert percentiles([1.0] * LEAST_FOR_P99)["p99"] == 1.0
    assert percentiles([1.0] * (LEAST_FOR_P99 - 1))["p99"] is None


def test_the_summary_counts_streams_and_turns():
    figures = summary([REPORTED, CANCELLED, STALLED, FAILED], [])
    assert figures["num_requests"] == 4
    assert figures["outcomes"] == {"cancelled": 1, "failed": 1, "heard": 2}
    assert figures["ttfa_ms"]["n"] == 3  # a whole file has no first audio of its own
    assert figures["ttfa_ms"]["p50"] == pytest.approx(200.0)
    assert figures["ttfa_from_sent_ms"]["p50"] == pytest.approx(199.0)
    assert figures["stalled_share"] == pytest.approx(1 / 3, abs=1e-4)
    assert (figures["num_stalls"], figures["longest_stall_ms"]) == (2, 320.0)
    assert (figures["needed_prebuffer_ms"]["p95"], figures["needed_prebuffer_ms"]["n"]) == (340, 1)
    assert figures["told_prebuffer_ms"]["p50"] == 20
    assert figures["num_played"] == 3
    assert [row["num_callers"] for row in figures["rows"]] == [2, 4]
    assert figures["cancel"]["states"] == {"stopped": 1}
    assert figures["cancel"]["ack_ms"]["p50"] == pytest.approx(20.0)
    assert figures["cancel"]["legs_ms"]["cancel_ack"]["p50"] == 12.0


def test_a_failed_request_fails_the_run_and_is_named():
    figures = summary([REPORTED, FAILED], [])
    assert (figures["passed"], figures["num_faults"]) == (False, 1)
    assert "session <d>: failed (status 500)" in figures["faults"][0]


REFUSED = replace(GOOD, outcome=Outcome.REFUSED, first_audio_s=None)


@pytest.mark.parametrize(
    "missing", [REFUSED, replace(GOOD, outcome=Outcome.BROKEN), FAILED], ids=lambda r: r.outcome
)
def test_a_turn_that_was_not_played_is_missing(missing):
    assert too_few_turns([REPORTED, CANCELLED, STALLED, missing], 3) == []
    fault = "3 turns were played, 4 were asked for"
    assert too_few_turns([REPORTED, CANCELLED, STALLED, missing], 4) == [fault]


def test_records_without_a_report_are_counted():
    assert summary([REPORTED, replace(REPORTED, finish=None)], [])["num_unchecked"] == 1


def test_each_plot_needs_records():
    drawn = plots([REPORTED, CANCELLED, STALLED])
    assert list(drawn) == [
        "Time to first audio against callers",
        "Stalled turns against callers",
        "Time to first audio over the run",
        "Timeline of a turn",
        "Legs of a cancel",
    ]
    assert all(drawing.startswith("<svg") for drawing in drawn.values())
    assert plots([]) == {}


def test_the_page_loads_no_file_and_escapes_texts():
    figures = summary([REPORTED, FAILED], []) | {"users": "<script>", "shape": "steady"}
    content = page(figures, plots([REPORTED]))
    assert "<script" not in content
    assert "session &lt;d&gt;" in content
    assert "src=" not in content
    assert 'href="http' not in content.replace('xlink:href="#', "")


def test_the_report_writes_summary_and_page(tmp_path):
    write_report(tmp_path / "new", summary([REPORTED], []), [REPORTED])
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"summary.json", "report.html"}
