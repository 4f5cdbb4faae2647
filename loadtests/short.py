"""The load test of `make loadtest`: about four minutes with a server of its own, on any machine.

    python -m loadtests.short --out loadtests/out

Makes a voice, runs all kinds of callers at once, then an open loop, then a short search for the
most streams. At the number that it finds, streams then play for half a minute. Each run writes a
report to a folder of its own. The last line is one JSON object. Exits with 1 if a run finds a
fault, or if a turn stalls in any run at a number of callers that the search found to be borne.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from deployments.server import running
from loadtests.records import PLAYED, Record, of_kinds, read_records
from loadtests.report import REQUESTS, SUMMARY

ROOT = Path(__file__).parents[1]
SEARCH = "saturation"
RUNS = {
    "voices": "--users enrol --callers 1 --minutes 0.05",  # starts the enroller
    "mixed": "--users mixed --callers 7 --minutes 0.4 --turns 3",
    "poisson": "--shape poisson --rate 0.2 --minutes 0.3 --turns 3",
    SEARCH: f"--shape {SEARCH} --users stream --callers 8 --minutes 0.15 --turns 3",
}
AT_CAPACITY = "--users stream --minutes 0.5 --turns 3 --callers "
WITHIN_S = 300.0  # per run
SHOWN = (
    "passed",
    "num_requests",
    "num_played",
    "ttfa_ms",
    "needed_prebuffer_ms",
    "stalled_share",
    "capacity",
    "bound_ttfa_ms",
)


class Run(NamedTuple):
    summary: Mapping[str, Any]
    records: Sequence[Record]


def config(folder: Path) -> Path:
    """serve_config.yaml with a folder for the voices that callers make."""
    content = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    content["applications"][0]["args"]["uploads"] = str(folder / "voices")
    path = folder / "loadtest.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def run_one(url: str, out: Path, options: str) -> Run:
    """Runs one load test. Raises RuntimeError if there is no summary."""
    command = [sys.executable, "-m", "loadtests", "--url", url, "--out", str(out), *options.split()]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=WITHIN_S, check=False
    )
    if done.returncode not in (0, 1) or not done.stdout:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}")
    return Run(json.loads((out / SUMMARY).read_text()), read_records(out / REQUESTS))


def run_all(run: Callable[[str, str], Run]) -> dict[str, Run]:
    """`run` gets a name and options. The last run is at the capacity that the search finds."""
    runs = {name: run(name, options) for name, options in RUNS.items()}
    if capacity := runs[SEARCH].summary["capacity"]:
        name = "at-capacity"
        runs[name] = run(name, f"{AT_CAPACITY}{capacity}")
    return runs


def verdict(runs: Mapping[str, Run]) -> dict[str, Any]:
    """What the machine bears, what the server claimed, and every fault."""
    search = runs[SEARCH].summary
    capacity, faults = search["capacity"], []
    for name, run in runs.items():
        faults += [f"{name}: {fault}" for fault in run.summary["faults"]]
        if name != SEARCH:  # it judges its levels itself
            faults += [f"{name}: {fault}" for fault in stalls_within(run.records, capacity)]
    return {
        "benchmark": "loadtest",
        "passed": not faults,
        "capacity": capacity,
        "claimed_capacity": search["claimed_capacity"],
        "faults": faults,
        "runs": {name: shown(run.summary) for name, run in runs.items()},
    }


def shown(summary: Mapping[str, Any]) -> dict[str, object]:
    return {key: summary[key] for key in SHOWN if key in summary}


def stalls_within(records: Sequence[Record], capacity: int) -> list[str]:
    """The turns that stalled though there were never more callers than `capacity`."""
    found = []
    for turn in of_kinds(records, PLAYED):
        callers = most_callers_beside(turn, records) if turn.num_stalls > 0 else 0
        if 0 < callers <= capacity:
            found.append(
                f"{turn.user}, session {turn.session_id}: stalled for {turn.longest_stall_ms:.0f} "
                f"ms; callers: {callers}, capacity: {capacity}"
            )
    return found


def most_callers_beside(turn: Record, records: Sequence[Record]) -> int:
    return max(
        record.num_callers
        for record in records
        if record.sent_s <= turn.done_s and record.done_s >= turn.sent_s
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "loadtests" / "out")
    out: Path = parser.parse_args().out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(config(Path(folder)), out / "serve.log") as server,
    ):

        def run(name: str, options: str) -> Run:
            done = run_one(server.url, out / name, options)
            say(f"{name}: {json.dumps(shown(done.summary))}")
            return done

        result = verdict(run_all(run))
    for fault in result["faults"]:
        sys.stderr.write(f"{fault}\n")
    claimed = result["claimed_capacity"]
    claim = "nothing" if claimed is None else claimed
    say(f"smooth streams that this machine bears: {result['capacity']}; /health claims {claim}")
    say(json.dumps(result))
    return 0 if result["passed"] else 1


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
