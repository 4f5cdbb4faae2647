"""The start of a server, by process and by library."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import import_times, startup, startup_sides

SCRIPT = Path(startup.__file__)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("ray::ServeReplica:chatterbox:T3.initialize_and_get_metadata", "T3"),
        ("ray::ServeReplica:empty:Empty", "Empty"),
        ("ray::Registry.poll", "Registry"),
        ("ray::build_serve_application", "builder"),
        ("ray::ServeController.listen_for_change", "Serve"),
        ("ray::ProxyActor", "Serve"),
        ("ray::IDLE", "idle workers"),
        ("python -m deployments.serve_run config.yaml", "serve run"),
        ("python -m deployments.cli serve", "command"),
        ("raylet --raylet_socket_name=x", "Ray"),
    ],
)
def test_a_process_is_named_by_its_command_line(command: str, name: str) -> None:
    assert startup_sides.name_of(command) == name


def test_medians_count_what_a_round_lacks_as_nothing() -> None:
    rows = [{"a": 1.0, "b": 2.0}, {"a": 3.0}, {"a": 5.0}]
    assert startup.medians(rows) == {"a": 3.0, "b": 0.0}


def test_share_left_is_the_part_above_the_floor() -> None:
    report = {
        name: {"wall_s": {"healthy": s}}
        for name, s in (("floor", 20.0), ("before", 60.0), ("now", 30.0))
    }
    assert startup.share_left(report, "wall_s") == 0.25


def test_a_modules_own_time_is_counted_for_its_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = "import time\nend = time.process_time() + {}\nwhile time.process_time() < end: pass\n"
    (tmp_path / "outer_library.py").write_text(busy.format(0.05) + "import inner_library\n")
    (tmp_path / "inner_library.py").write_text(busy.format(0.1))
    monkeypatch.syspath_prepend(tmp_path)
    result = import_times.measure("import outer_library")
    seconds = result["imports_s"]
    assert seconds["inner_library"] == pytest.approx(0.1, abs=0.03)
    assert seconds["outer_library"] == pytest.approx(0.05, abs=0.03)
    assert result["whole_s"] >= seconds["inner_library"] + seconds["outer_library"]


@pytest.mark.long  # three minutes
def test_the_last_line_compares_this_checkout_with_another() -> None:
    command = [sys.executable, str(SCRIPT), "--rounds", "1", "--before", str(SCRIPT.parents[1])]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout.splitlines()[-1])
    for name in ("floor", "before", "now"):
        side = result[name]
        assert side["cpu_s"]["healthy"] == pytest.approx(sum(side["processes_cpu_s"].values()))
        assert list(side["legs_s"])[:3] == ["ray", "serve", "application built"]
    assert result["now"]["wall_s"].keys() == {"healthy", "first say", "first clone"}
    assert {"T3", "Vocoder", "Ingress", "builder"} <= result["imports"]["now"].keys()
    assert result["share_left"]["cpu_s"] == pytest.approx(1.0, abs=0.2)  # the same checkout twice
