"""Whole runs, as a user starts them, in a process of their own: Locust patches the one it is in."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loadtests.records import Outcome, read_records, violations
from tests.support.loadtests.fake_server import fake_server

ROOT = Path(__file__).parents[2]


def run(url, out, *options):
    """The exit code, the summary that stands last on stdout, and what was said beside it."""
    command = [sys.executable, "-m", "loadtests", "--url", url, "--out", str(out), *options]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    lines = done.stdout.splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr


def test_every_kind_of_caller_on_a_good_server_leaves_a_report_without_a_fault(tmp_path):
    options = ("--users", "mixed", "--callers", "20", "--minutes", "0.1", "--think-s", "0.1")
    with fake_server() as (url, server):
        code, told, _ = run(url, tmp_path, *options)
    records = read_records(tmp_path / "requests.jsonl")
    assert (code, told["passed"], told["faults"]) == (0, True, [])
    assert (told["benchmark"], told["num_requests"]) == ("loadtest", len(records))
    assert set(told["kinds"]) == {"turn", "stream", "whole", "storm", "enrol", "hostile"}
    assert [fault for record in records for fault in violations(record)] == []
    assert server.voices == ["ada"]  # those that were made are deleted
    assert json.loads((tmp_path / "summary.json").read_text()) == told
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") >= 4
    assert "http://127.0.0.1" not in page.replace(url, "")


def test_a_fault_of_the_server_fails_an_open_loop(tmp_path):
    options = ("--shape", "poisson", "--rate", "4", "--minutes", "0.05", "--seed", "2")
    with fake_server(truncates=True) as (url, _):
        code, told, _ = run(url, tmp_path, *options)
    assert (code, told["passed"]) == (1, False)
    assert set(told["outcomes"]) == {Outcome.TRUNCATED.value}
    assert "of 0.600 s have come" in told["faults"][0]


def test_the_search_finds_that_a_server_which_is_always_late_carries_nobody(tmp_path):
    options = ("--shape", "saturation", "--callers", "4", "--minutes", "0.02", "--ttfa-ms", "100")
    with fake_server(first_audio_s=0.3) as (url, _):
        code, told, _ = run(url, tmp_path, *options, "--think-s", "0.1")
    assert (code, told["capacity"]) == (0, 0)
    assert [level["num_callers"] for level in told["levels"]] == [1]
    assert told["levels"][0]["num_late"] == told["levels"][0]["num_turns"] > 0


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://192.0.2.1:8000", "is not this machine"),
        ("http://speech.example:8000", "is not this machine"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9: "),
    ],
    ids=["another machine", "a name", "nobody"],
)
def test_a_server_that_is_not_ours_or_not_there_is_told_and_not_loaded(tmp_path, url, said):
    code, told, errors = run(url, tmp_path)
    assert (code, told) == (2, {})
    assert said in errors.splitlines()[-1]


@contextlib.contextmanager
def locust(url, out):
    """Locust's own command line, which goes on until it is told to end."""
    file = ROOT / "loadtests" / "locustfile.py"
    command = [sys.executable, "-m", "locust", "-f", str(file), "--host", url, "--headless"]
    command += ["--users", "10", "--spawn-rate", "10", "--out", str(out)]
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(command, stdout=pipe, stderr=both, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def num_lines(path):
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_locust_itself_runs_the_users_and_counts_them(tmp_path):
    path = tmp_path / "requests.jsonl"
    with fake_server() as (url, _), locust(url, tmp_path) as running:
        while num_lines(path) < 10 and running.poll() is None:
            time.sleep(0.1)  # until they have spoken; pytest's timeout bounds it
        running.send_signal(signal.SIGTERM)
        said, _ = running.communicate()
    assert running.returncode == 0, said
    records = read_records(path)
    assert {"turn", "stream"} <= {record.kind for record in records}
    assert not [record for record in records if record.outcome.is_fault]
    assert "turn     heard" in said


def test_locust_itself_loads_no_other_machine(tmp_path):
    with locust("http://192.0.2.1:8000", tmp_path) as running:
        said, _ = running.communicate()
    assert running.returncode != 0
    assert "is not this machine" in said
    assert not (tmp_path / "requests.jsonl").exists()
