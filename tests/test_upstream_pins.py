"""Upstream's version, and the source that we re-implement or rely on, are the recorded ones.

A failure means that upstream was upgraded. tests/record_upstream_pins.py says what to do then.
"""

import copy
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import record_upstream_pins
from tests.record_upstream_pins import DISTRIBUTION, Pins, digest, read_pins, source_of

REPOSITORY = Path(__file__).parents[1]
HOW = "Carry the change over, then run: python -m tests.record_upstream_pins"

pytestmark = pytest.mark.filterwarnings(
    "ignore:pkg_resources is deprecated", "ignore:Deprecated call to `pkg_resources"
)


def drift(pins: Pins, installed_version: str) -> str:
    """The differences from the record, one per line."""
    lines = []
    if installed_version != pins["version"]:
        lines.append(f"{DISTRIBUTION} is {installed_version}, recorded was {pins['version']}")
    for name, pin in sorted(pins["sources"].items()):
        files = ", ".join(pin["reimplemented_in"])
        try:
            changed = digest(source_of(name)) != pin["sha256"]
        except (ImportError, AttributeError):
            lines.append(f"{name} is gone; {files} follows it")
            continue
        if changed:
            lines.append(f"{name} has changed; {files} follows it")
    return "\n".join(lines)


def test_upstreams_source_is_the_recorded_one():
    found = drift(read_pins(), version(DISTRIBUTION))
    assert not found, f"{found}\n{HOW}"


def test_a_changed_source_is_reported_with_our_file():
    pins = copy.deepcopy(read_pins())
    pins["sources"]["chatterbox.models.t3.t3:T3.inference"]["sha256"] = digest("def other(): ...")
    assert drift(pins, pins["version"]).startswith(
        "chatterbox.models.t3.t3:T3.inference has changed; app/engine/t3/"
    )


def test_a_missing_source_and_another_version_are_reported():
    pins = copy.deepcopy(read_pins())
    pins["sources"] = {
        "chatterbox.nosuch:f": {"sha256": "", "reimplemented_in": ["app/a.py"]},
        "chatterbox.tts:nosuch": {"sha256": "", "reimplemented_in": ["app/b.py"]},
    }
    assert drift(pins, "9.9").splitlines() == [
        f"{DISTRIBUTION} is 9.9, recorded was {pins['version']}",
        "chatterbox.nosuch:f is gone; app/a.py follows it",
        "chatterbox.tts:nosuch is gone; app/b.py follows it",
    ]


def test_the_digest_ignores_white_space_alone():
    assert digest("def f(x):\n    return x\n") == digest("def f(x):\n  return x")
    assert digest("def f(x): return x") != digest("def f(x): return -x")


def test_every_pin_names_existing_files():
    for name, pin in read_pins()["sources"].items():
        assert pin["reimplemented_in"], name
        for path in pin["reimplemented_in"]:
            assert (REPOSITORY / path).is_file(), f"{name}: {path}"


def test_recording_an_unchanged_upstream_changes_nothing(tmp_path, monkeypatch):
    copied = tmp_path / "pins.json"
    recorded = record_upstream_pins.PINS_FILE.read_text()
    copied.write_text(recorded)
    monkeypatch.setattr(record_upstream_pins, "PINS_FILE", copied)
    record_upstream_pins.record()
    assert copied.read_text() == recorded
