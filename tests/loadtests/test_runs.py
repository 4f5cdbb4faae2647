"""Whole runs in processes of their own, because the import of Locust patches its process."""

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.bench import Bench, RefusedHost, UnusableServer, check_host
from loadtests.records import Outcome, read_records, violations
from loadtests.run_log import RunLog
from tests.support.eventually import eventually_sync
from tests.support.loadtests.benches import QUICK, bench_on
from tests.support.loadtests.fake_server import fake_server

ROOT = Path(__file__).parents[2]


def run(url, out, *options):
    """The exit code, the summary in the last line of stdout, and stderr."""
    command = [sys.executable, "-m", "loadtests", "--url", url, "--out", str(out), *options]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    lines = done.stdout.splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr


def test_all_kinds_of_callers_find_no_fault_of_a_good_server(tmp_path):
    options = ("--users", "mixed", "--callers", "20", "--minutes", "0.1", "--think-s", "0.1")
    with fake_server() as (url, server):
        code, summary, _ = run(url, tmp_path, *options)
    records = read_records(tmp_path / "requests.jsonl")
    assert (code, summary["passed"], summary["faults"]) == (0, True, [])
    assert (summary["benchmark"], summary["num_requests"]) == ("loadtest", len(records))
    assert set(summary["kinds"]) == {"turn", "stream", "whole", "storm", "enrol", "hostile"}
    assert [line for record in records for line in violations(record)] == []
    assert server.voices == ["ada"]  # the new voices are deleted
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") >= 4
    assert "http://127.0.0.1" not in page.replace(url, "")


def test_truncated_answers_and_missing_turns_fail_an_open_loop(tmp_path):
    options = ("--shape", "poisson", "--rate", "4", "--minutes", "0.03", "--seed", "2")
    options += ("--turns", "1")
    with fake_server(truncates=True) as (url, _):
        code, summary, _ = run(url, tmp_path, *options)
    assert (code, summary["passed"]) == (1, False)
    assert set(summary["outcomes"]) == {Outcome.TRUNCATED.value}
    assert summary["faults"][0] == "0 turns were played, 1 were asked for"
    assert "of 0.600 s arrived" in summary["faults"][1]


def test_a_search_that_finds_no_capacity_fails(tmp_path):
    options = ("--shape", "saturation", "--callers", "4", "--minutes", "0.01", "--ttfa-ms", "100")
    with fake_server(first_audio_s=0.3, capacity=4) as (url, _):
        code, summary, _ = run(url, tmp_path, *options, "--think-s", "0.1")
    assert (code, summary["capacity"], summary["claimed_capacity"]) == (1, 0, 4)
    assert summary["faults"] == ["capacity 0: the bounds were not kept with one caller"]
    assert [level["num_callers"] for level in summary["levels"]] == [1]
    assert summary["levels"][0]["num_late"] == summary["levels"][0]["num_turns"] > 0


@pytest.mark.parametrize("url", ["http://192.0.2.1:8000", "http://speech.example:8000"])
def test_another_machine_is_refused(url):
    with pytest.raises(RefusedHost, match="is not this machine"):
        check_host(url, allow_remote=False)
    check_host(url, allow_remote=True)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:80"])
def test_this_machine_is_accepted(url):
    check_host(url, allow_remote=False)


def test_a_server_that_does_not_answer_is_unusable():
    with pytest.raises(UnusableServer, match=r"^http://127\.0\.0\.1:9: "):
        Bench("http://127.0.0.1:9", QUICK, RunLog())


@pytest.mark.parametrize("claimed", [None, 0, 4])
def test_the_claim_of_a_server_is_read_from_its_health(claimed):
    with bench_on(capacity=claimed) as (bench, _):
        assert bench.claimed_capacity() == claimed


@pytest.mark.parametrize("claimed", ["4", 3.5, True])
def test_a_server_with_another_claim_is_unusable(claimed):
    with bench_on(capacity=claimed) as (bench, _), pytest.raises(UnusableServer, match="capacity"):
        bench.claimed_capacity()


@pytest.mark.long
def test_a_run_that_cannot_begin_exits_with_2(tmp_path):
    code, summary, errors = run("http://192.0.2.1:8000", tmp_path)
    assert (code, summary) == (2, {})
    assert "is not this machine" in errors.splitlines()[-1]


@contextlib.contextmanager
def locust(url, out):
    """Locust's own command line, which runs until SIGTERM."""
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


def test_locusts_own_command_line_counts_the_users(tmp_path):
    path = tmp_path / "requests.jsonl"
    with fake_server() as (url, _), locust(url, tmp_path) as running:
        eventually_sync(
            lambda: num_lines(path) >= 10 or running.poll() is not None,
            within_s=120,
            what="ten requests have ended",
        )
        running.send_signal(signal.SIGTERM)
        output, _ = running.communicate(timeout=60)
    assert running.returncode == 0, output
    records = read_records(path)
    assert {"turn", "stream"} <= {record.kind for record in records}
    assert not [record for record in records if record.outcome.is_fault]
    assert "turn     heard" in output


@pytest.mark.long
def test_locusts_own_command_line_refuses_another_machine(tmp_path):
    with locust("http://192.0.2.1:8000", tmp_path) as running:
        output, _ = running.communicate(timeout=60)
    assert running.returncode != 0
    assert "is not this machine" in output
    assert not (tmp_path / "requests.jsonl").exists()
