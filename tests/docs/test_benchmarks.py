"""No figure without its command, its hardware and its date."""

import re
import shlex
from itertools import pairwise

import pytest

from tests.support.documents import DOCS, ROOT, prose

TEXT = (DOCS / "benchmarks.md").read_text()
RUN = re.compile(
    r"^> \*\*Command:\*\* `(?P<command>[^`]+)` · \*\*Hardware:\*\* (?P<hardware>.+?)"
    r" · \*\*Date:\*\* (?P<date>\d{4}-\d{2}-\d{2})$",
    re.MULTILINE,
)
RUNS = [match.groupdict() for match in RUN.finditer(TEXT)]
MACHINES = ("cpu2", "h200")


def undated(text):
    """The headings of sections with a table that has no run above it."""
    found = []
    for section in re.split(r"^(?=#+ )", text, flags=re.MULTILINE):
        blocks = [block for block in section.split("\n\n") if block.strip()]
        has_table = any(block.startswith("|") for block in blocks)
        is_led = any(
            RUN.fullmatch(run.strip()) and table.startswith("|") for run, table in pairwise(blocks)
        )
        num_tables = sum(block.startswith("|") for block in blocks)
        if has_table and (not is_led or num_tables > 1):
            found.append(section.splitlines()[0])
    return found


def test_every_table_stands_below_its_run():
    assert len(RUNS) > 15
    assert undated(TEXT) == []


def test_a_table_without_a_run_is_found():
    assert undated("## Fast\n\n| a | b |\n|---|---|\n| 1 | 2 |\n") == ["## Fast"]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run["command"][:60])
def test_every_run_can_be_repeated(run):
    assert run["hardware"].startswith(MACHINES)
    words = shlex.split(run["command"])
    if words[0] == "make":
        assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text()
        return
    assert words[0] == "python"
    if words[1] == "-m":
        paths = [word for word in words[3:] if word.startswith("tests/")]
        assert paths
        assert all((ROOT / path).exists() for path in paths)
        return
    script = (ROOT / words[1]).read_text()
    for option in (word for word in words if word.startswith("--")):
        assert f'"{option}"' in script, option


@pytest.mark.parametrize("name", ["README.md", "docs/stopping.md", "docs/vocoder.md"])
def test_other_pages_have_no_table_of_measurements(name):
    """They link to the benchmarks. The README's one table links each of its figures."""
    text = prose((ROOT / name).read_text())
    for line in text.splitlines():
        if re.match(r"^\|.*\d+ / \d+ / \d+", line):
            pytest.fail(f"{name}: {line}")
