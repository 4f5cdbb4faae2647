"""How the run of an example agent is judged."""

import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from interop import agents
from interop.agent_rows import HEAD, LEAST_S, LOUD, AgentRow, row_of, table
from interop.agents import EXAMPLES, run
from interop.environments import ROOT

RATE = 24_000


def written(path, seconds, peak):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.full(round(seconds * RATE), peak, "<i2").tobytes())
    return path


@pytest.mark.parametrize("peak", [LOUD, -LOUD])
def test_an_agent_that_ended_well_and_was_heard_works(tmp_path, peak):
    row = row_of("agent.py", 0, written(tmp_path / "a.wav", LEAST_S, peak), "a warning")
    assert row.works
    assert row.as_json() == {
        **{"example": "agent.py", "status": 0, "heard_s": LEAST_S, "peak": LOUD},
        "works": True,
    }


@pytest.mark.parametrize(
    ("status", "seconds", "peak"),
    [(1, LEAST_S, LOUD), (-9, LEAST_S, LOUD), (0, LEAST_S - 1, LOUD), (0, LEAST_S, 0), (0, 0, 0)],
)
def test_a_fault_too_little_sound_or_silence_does_not_work(tmp_path, status, seconds, peak):
    row = row_of("agent.py", status, written(tmp_path / "a.wav", seconds, peak), "broken")
    assert not row.works
    assert row.as_json()["trouble"] == "broken"


@pytest.mark.parametrize("content", [None, b"", b"RIFFno wave at all"])
def test_an_agent_without_a_file_does_not_work(tmp_path, content):
    if content is not None:
        (tmp_path / "a.wav").write_bytes(content)
    row = row_of("agent.py", 0, tmp_path / "a.wav", "")
    assert not row.works
    assert "no sound was written" in row.trouble


def test_the_table_tells_an_agent_that_does_not_end():
    rows = [AgentRow("one.py", 0, 9.5, LOUD), AgentRow("two.py", None, 0.0, 0)]
    head, _, one, two = table(rows).splitlines()
    assert head == f"| {' | '.join(HEAD)} |"
    assert one == "| `examples/one.py` | yes | 0 | 9.50 s |"
    assert two == "| `examples/two.py` | **no** | no end | 0.00 s |"


@pytest.mark.parametrize(
    ("script", "status", "trouble"),
    [("raise SystemExit('broken')", 1, "broken"), ("while True: pass", None, "no end within")],
)
def test_an_agent_that_fails_or_hangs_is_told(tmp_path, monkeypatch, script, status, trouble):
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "agent.py").write_text(script)
    monkeypatch.setattr(agents, "ROOT", tmp_path)
    within_s = 60.0 if status is not None else 0.1
    row = run(Path(sys.executable), "agent.py", "http://127.0.0.1:1", tmp_path, within_s)
    assert (row.status, row.works) == (status, False)
    assert trouble in row.trouble


def test_every_agent_of_the_examples_is_run():
    assert sorted(EXAMPLES.values()) == sorted(
        path.name for path in (ROOT / "examples").glob("*_agent.py")
    )
