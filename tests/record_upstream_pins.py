"""Records digests of upstream's source, which tests/test_upstream_pins.py compares.

tests/upstream_pins.json maps each upstream function or class that we re-implement or rely on
(`module:name`) to the digest of its source and to our files that must follow it. To accept a new
release of upstream: read the sources that the failing test names, carry their changes over to our
files, raise the version in pyproject.toml, and run

    python -m tests.record_upstream_pins

To pin another source, add its entry with an empty digest and run the same command.
"""

import hashlib
import importlib
import inspect
import json
import sys
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import TypedDict

DISTRIBUTION = "chatterbox-tts"
PINS_FILE = Path(__file__).with_name("upstream_pins.json")


class Pin(TypedDict):
    sha256: str
    reimplemented_in: list[str]


class Pins(TypedDict):
    version: str  # of the distribution
    sources: dict[str, Pin]


def read_pins() -> Pins:
    pins: Pins = json.loads(PINS_FILE.read_text())
    return pins


def source_of(name: str) -> str:
    """The installed source of `module:name`. Raises ImportError or AttributeError where there is
    none."""
    module, _, attribute = name.partition(":")
    return inspect.getsource(attrgetter(attribute)(importlib.import_module(module)))


def digest(source: str) -> str:
    """Ignores white space alone."""
    return hashlib.sha256(" ".join(source.split()).encode()).hexdigest()


def record() -> None:
    pins = read_pins()
    pins["version"] = version(DISTRIBUTION)
    for name, pin in pins["sources"].items():
        pin["sha256"] = digest(source_of(name))
    PINS_FILE.write_text(json.dumps(pins, indent=2, sort_keys=True) + "\n")
    sys.stdout.write(f"recorded {len(pins['sources'])} sources of {DISTRIBUTION}\n")


if __name__ == "__main__":
    record()
