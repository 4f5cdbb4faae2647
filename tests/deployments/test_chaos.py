"""Chaos in short, on an application that may be damaged, and all of it on a server of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from loadtests import chaos_callers, chaos_rounds
from loadtests.bench import Bench
from loadtests.chaos import SETTINGS
from loadtests.chaos_callers import LINES, Callers
from loadtests.chaos_rounds import run_round
from loadtests.chaos_verdict import row_of
from loadtests.faults import Attacked, Signalled
from loadtests.run_log import RunLog
from loadtests.victim import Part, Victim
from tests.support.deployments.expendable_app import ExpendableApp

ROOT = Path(__file__).parents[2]
MINUTES = 20
FAULTS = (
    Signalled(Part.VOCODER, kills=False),
    Attacked("stalled-readers", 4),
)


@pytest.fixture
def victim(app: ExpendableApp):
    bench = Bench(app.url, SETTINGS, RunLog())
    yield Victim(bench, app.name, psutil.process_iter, dict(os.environ))
    bench.http.close()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams are sent as they are played: without the longest line a round ends 10 s earlier."""
    monkeypatch.setattr(chaos_callers, "LINES", LINES[:-1])
    monkeypatch.setattr(chaos_rounds, "BEFORE_S", 3.0)
    monkeypatch.setattr(chaos_rounds, "AFTER_S", 3.0)


@pytest.mark.usefixtures("short")
def test_two_faults_break_no_rule(victim: Victim):
    callers = Callers(victim.bench, seed=1)
    callers.learn()
    rows = [row_of(run_round(victim, fault, callers, f"1 {fault.name}")) for fault in FAULTS]
    assert [rule for row in rows for rule in row.broken_rules] == []
    assert victim.bench.run_log.faults == []
    assert all(row.sessions > 3 for row in rows)


@pytest.mark.long
@pytest.mark.timeout(MINUTES * 60 + 900)
@pytest.mark.parametrize("seed", [1, 2])
def test_twenty_minutes_of_faults_break_no_rule(seed):
    command = [sys.executable, "-m", "loadtests.chaos", "--minutes", str(MINUTES)]
    command += ["--seed", str(seed)]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    report = json.loads(ended.stdout.splitlines()[-1])
    assert report["broken_rules"] == []
    assert ended.returncode == 0
    assert len({row["fault"] for row in report["rounds"]}) >= 14
