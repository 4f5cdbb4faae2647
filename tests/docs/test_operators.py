"""What an operator reads is so: metrics, commands, messages at a start, memory of a GPU."""

import re
from pathlib import Path

import pytest

from app.engine.checkpoint.blueprint import Undrawn, without_unread
from app.engine.checkpoint.components import Component, blueprint_of
from app.engine.checkpoint.full_size import FULL_SIZE
from tests.docs.test_snippets import COMMANDS
from tests.support.documents import DOCS, ROOT

QUICK_START = (DOCS / "quickstart-gpu.md").read_text()
MIB = 2**20


def source():
    paths = [path for room in ("app", "deployments") for path in Path(ROOT / room).rglob("*.py")]
    return "\n".join(path.read_text() for path in paths)


def test_every_metric_is_documented():
    names = re.findall(r'"(chatterbox_\w+)"', (ROOT / "deployments" / "metrics.py").read_text())
    assert len(names) > 20
    told = (DOCS / "monitoring.md").read_text()
    assert [name for name in names if name not in told] == []


def test_every_command_is_documented():
    table = (DOCS / "api.md").read_text()
    assert [
        name for name in COMMANDS if not re.search(rf"^\\|.*`{name}[ `]", table, re.MULTILINE)
    ] == []


def test_the_messages_of_a_start_are_those_of_the_code():
    section = QUICK_START[QUICK_START.index("## If it does not start") :]
    messages = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert len(messages) >= 4
    code = re.sub(r'"\s*\n\s*f?"', "", source())  # a message may stand on several lines
    for message in messages:
        for fragment in re.split(r"…|port 8000 on 127\.0\.0\.1", message):
            if len(fragment.strip()) > 3:
                assert fragment.strip() in code, fragment


@pytest.mark.full
@pytest.mark.parametrize("family", sorted(FULL_SIZE))
def test_the_weights_of_a_model_take_the_memory_that_is_told(family):
    spec = FULL_SIZE[family]

    def mib(component, bytes_each):
        blueprint = blueprint_of(component, spec)
        with Undrawn():
            module = without_unread(blueprint, blueprint.build())
        return sum(weight.numel() for weight in module.parameters()) * bytes_each / MIB

    table = QUICK_START[QUICK_START.index("## Memory of the GPU") :]
    (row,) = re.findall(rf"^\| `{family}` \|(.+)\|$", table, re.MULTILINE)
    told = [float(number.replace(",", "")) for number in re.findall(r"([\d.,]+) MiB", row)][:2]
    t3, vocoder = mib(Component.T3, 2), mib(Component.FLOW, 4) + mib(Component.HIFT, 4)
    assert told == pytest.approx([t3, vocoder], abs=1)
