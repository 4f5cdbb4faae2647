"""docs/operations.md agrees with the code and the alerts."""

import re
from pathlib import Path

import pytest
import yaml

from app import errors
from app.engine.checkpoint.full_size import FULL_SIZE
from app.engine.t3.kv_budget import PAGE, pages_of
from app.engine.t3.kv_capacity import _LONG_SEGMENT

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text()
ALERTS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text())
NAMES = [rule["alert"] for group in ALERTS["groups"] for rule in group["rules"]]
KIB, MIB = 2**10, 2**20
BFLOAT16 = 2


def test_there_are_alerts():
    assert len(NAMES) > 3


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_a_section(name):
    sections = dict(re.findall(r"^### (\w+)\n\n(.+?)(?=\n#|\Z)", TEXT, re.M | re.S))
    assert len(sections[name]) > 100


def test_every_section_has_an_alert():
    assert set(re.findall(r"^### (\w+)$", TEXT, re.M)) == set(NAMES)


@pytest.mark.parametrize("family", ["english", "multilingual", "turbo", "nano"])
def test_the_documented_memory_of_a_slot_is_that_of_the_code(family):
    spec = FULL_SIZE[family].t3
    position = 2 * spec.num_layers * spec.num_heads * spec.head_dim * BFLOAT16
    num_rows = 2 if spec.backbone == "llama" else 1
    prefix = 2 + (spec.num_perceiver_queries if spec.perceiver else spec.prompt_len)
    slot = pages_of(prefix + _LONG_SEGMENT, num_rows) * PAGE * position / MIB
    kept = pages_of(prefix) * PAGE * position / MIB
    (line,) = [line for line in TEXT.splitlines() if line.startswith("| ") and family in line]
    told = [float(number) for number in re.findall(r"([\d.]+) [KM]iB", line)]
    assert told == pytest.approx([position / KIB, slot, kept], rel=0.01)


@pytest.mark.parametrize("code", ["storage_full", "storage_unavailable", "out_of_memory"])
def test_a_documented_code_has_its_status(code):
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    (kind,) = [kind for kind in kinds if getattr(kind, "code", None) == code]
    (told,) = {line for line in TEXT.splitlines() if line.startswith("| ") and f"`{code}`" in line}
    assert str(kind.status) in told


def test_every_linked_file_exists():
    for link in re.findall(r"\]\(([\w./-]+)\)", TEXT):
        assert (ROOT / "docs" / link).exists(), link
