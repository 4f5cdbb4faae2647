"""The README fits on a few screens, and its first screen starts the server."""

import re

from tests.support.documents import ROOT, anchors, fence, fences

README = ROOT / "README.md"
TEXT = README.read_text()
MAX_LINES, MAX_BYTES = 160, 9 * 1024
FIRST_SCREEN = 40  # lines


def test_it_is_short():
    assert len(TEXT.splitlines()) <= MAX_LINES
    assert len(TEXT.encode()) <= MAX_BYTES


def test_the_two_commands_of_a_fresh_machine_are_on_the_first_screen():
    first = TEXT.splitlines()[:FIRST_SCREEN]
    assert any(line.startswith("make demo") for line in first)
    assert any(line.startswith("make test") for line in first)


def test_it_has_one_diagram_and_a_barge_in_of_fifteen_lines():
    assert len([each for each in fences("mermaid") if each.page == "README.md"]) == 1
    assert len([line for line in fence("barge-in").code.splitlines() if line.strip()]) <= 15


def test_each_of_its_five_figures_stands_in_the_benchmarks():
    pages = (ROOT / "docs" / "benchmarks.md").read_text()
    rows = re.findall(r"^\| .+\[(.+?)\]\(docs/benchmarks\.md#([\w-]+)\)(.*)\|$", TEXT, re.MULTILINE)
    assert len(rows) == 5
    for figure, anchor, _ in rows:
        index = anchors(ROOT / "docs" / "benchmarks.md").index(anchor)
        section = re.split(r"^#+ ", pages, flags=re.MULTILINE)[index + 1]
        for number in re.findall(r"\d[\d.,]*\d|\d", figure):
            assert re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d.]\d)", section), (
                figure,
                number,
            )


def test_it_says_what_was_not_run():
    assert "**not run** with the published weights" in " ".join(TEXT.split())
