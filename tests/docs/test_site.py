"""`make docs` builds the site, and the site asks no other server for anything."""

import re
import subprocess
import sys

import pytest

from tests.support.documents import DOCS, ROOT

REMOTE = re.compile(
    r"""(?:src|data|poster)=["']https?://|<link[^>]+href=["']https?://|url\(["']?https?://|@import"""
)


def build(source, out):
    """The exit status of the build, and its errors."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    ended = subprocess.run(
        [*command, str(source), str(out)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return ended.returncode, ended.stderr


@pytest.mark.full
@pytest.mark.budget(120)
def test_the_site_is_built_without_a_warning_and_loads_nothing_remote(tmp_path):
    assert build(DOCS, tmp_path) == (0, "")
    pages = [path for suffix in ("html", "css") for path in tmp_path.rglob(f"*.{suffix}")]
    assert len(pages) > 15
    assert [path.name for path in pages if REMOTE.search(path.read_text())] == []
    assert "<svg" in (tmp_path / "architecture.html").read_text()


@pytest.mark.full
@pytest.mark.budget(120)
def test_a_broken_link_and_a_broken_diagram_stop_the_build(tmp_path):
    source = tmp_path / "docs"
    source.mkdir()
    (source / "conf.py").write_text((DOCS / "conf.py").read_text())
    (source / "index.md").write_text(
        "# A\n\n[b](b.md#c)\n\n```mermaid\nflowchart LR\n  a -->> ->\n```\n"
    )
    (source / "b.md").write_text("# B\n")
    status, told = build(source, tmp_path / "out")
    assert status != 0
    assert "cannot be drawn" in told
    assert "local id not found" in told


def test_a_remote_script_is_found():
    assert REMOTE.search('<script src="https://example.com/a.js">')
    assert not REMOTE.search('<a href="https://example.com">')
