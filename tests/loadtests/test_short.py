"""The verdict of `make loadtest`: what fails it, and what it says about the machine."""

import contextlib
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from loadtests import short
from loadtests.records import Kind
from loadtests.run_log import RunLog
from loadtests.saturation import judge, shortfalls
from loadtests.short import RUNS, SEARCH, Run, stalls_within
from loadtests.summary import summary, too_few_turns
from tests.support.loadtests.benches import GOOD

STALLED = replace(GOOD, session_id="stalled", num_stalls=1, longest_stall_ms=300.0)


def searched(capacity, claimed=None, faults=()):
    return Run(summary([GOOD], faults) | {"capacity": capacity, "claimed_capacity": claimed}, [])


def played(*records, asked=1):
    return Run(summary(records, too_few_turns(records, asked)), records)


@pytest.fixture
def verdict_of(monkeypatch, tmp_path, capsys):
    """Runs the whole of `make loadtest` with runs instead of a server. A run that is not given is
    a good one. Returns the exit code and the last line."""

    def whole(**runs):
        server = contextlib.nullcontext(SimpleNamespace(url="http://fake"))
        monkeypatch.setattr(short, "running", lambda config, log: server)
        monkeypatch.setattr("sys.argv", ["short.py", "--out", str(tmp_path)])
        good = {name: played(GOOD) for name in (*RUNS, "at-capacity")} | {SEARCH: searched(2)}
        asked = {}

        def run_one(url, out, options):
            asked[out.name] = options
            return (good | runs)[out.name]

        monkeypatch.setattr(short, "run_one", run_one)
        code = short.main()
        *lines, last = capsys.readouterr().out.splitlines()
        return code, json.loads(last) | {"asked": asked, "told": lines[-1]}

    return whole


def test_good_runs_pass(verdict_of):
    code, result = verdict_of(saturation=searched(2, claimed=2))
    assert (code, result["passed"], result["faults"]) == (0, True, [])
    assert (result["capacity"], result["claimed_capacity"]) == (2, 2)
    assert result["told"] == "smooth streams that this machine bears: 2; /health claims 2"
    assert list(result["runs"]) == [*RUNS, "at-capacity"]
    assert result["asked"]["at-capacity"].endswith("--callers 2")


def test_a_server_may_claim_nothing(verdict_of):
    code, result = verdict_of()
    assert code == 0
    assert result["told"].endswith("/health claims nothing")


def test_a_capacity_of_0_fails(verdict_of):
    level = judge([replace(GOOD, num_callers=1, num_stalls=1)], 1, ttfa_ms=1000)
    code, result = verdict_of(saturation=searched(0, 4, shortfalls(0, 4, [level])))
    assert (code, result["passed"]) == (1, False)
    assert "saturation: capacity 0" in result["faults"][0]
    assert "/health claims 4 smooth streams" in result["faults"][1]
    assert "at-capacity" not in result["runs"]


@pytest.mark.parametrize("name", ["mixed", "poisson", "at-capacity"])
def test_a_turn_that_stalls_below_the_capacity_fails(verdict_of, name):
    code, result = verdict_of(**{name: played(GOOD, STALLED)})
    assert code == 1
    assert result["faults"] == [
        f"{name}: conversation 1, session stalled: stalled for 300 ms; callers: 2, capacity: 2"
    ]


@pytest.mark.parametrize("name", ["mixed", "poisson", "at-capacity"])
def test_fewer_turns_than_asked_for_fail(verdict_of, name):
    code, result = verdict_of(**{name: played(GOOD, asked=2)})
    assert code == 1
    assert result["faults"] == [f"{name}: 1 turns were played, 2 were asked for"]


def test_every_run_but_the_making_of_a_voice_asks_for_turns():
    without = [name for name, options in RUNS.items() if "--turns" not in options]
    assert without == ["voices"]


def test_a_stall_beside_more_callers_than_the_capacity_is_allowed():
    """The third caller comes while the turn is played."""
    third = replace(GOOD, sent_s=10.9, num_callers=3, kind=Kind.WHOLE)
    assert stalls_within([STALLED, third], 2) == []
    assert len(stalls_within([STALLED, third], 3)) == 1
    later = replace(third, sent_s=STALLED.done_s + 1, done_s=STALLED.done_s + 2)
    assert len(stalls_within([STALLED, later], 2)) == 1


def test_a_stall_of_another_kind_than_a_turn_does_not_count():
    assert stalls_within([replace(STALLED, kind=Kind.STORM)], 2) == []


def test_a_run_that_has_no_summary_is_an_error(monkeypatch, tmp_path):
    ended = SimpleNamespace(returncode=2, stdout="")
    monkeypatch.setattr(short.subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(RuntimeError, match="ended with 2"):
        short.run_one("http://fake", tmp_path, "--callers 1")


def test_a_run_is_read_from_its_report(monkeypatch, tmp_path):
    run_log = RunLog(tmp_path / "requests.jsonl")
    run_log.add(STALLED)
    (tmp_path / "summary.json").write_text('{"passed": false}')
    ended = SimpleNamespace(returncode=1, stdout="{}")
    monkeypatch.setattr(short.subprocess, "run", lambda *_, **__: ended)
    assert short.run_one("http://fake", tmp_path, "") == Run({"passed": False}, [STALLED])
