"""The documents as tests read them: pages, fenced blocks, headings and links."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BESIDE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "llms.txt")
PAGES = [*(ROOT / name for name in BESIDE), *sorted(DOCS.glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)[ ]?([\w-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Fence(NamedTuple):
    page: str
    language: str
    name: str  # after the language: python barge-in
    code: str

    def __str__(self):
        return f"{self.page}: {self.name or self.language} {self.code[:30]!r}"


def fences(*languages):
    """Of all pages, in order."""
    found = [
        Fence(page.name, *match) for page in PAGES for match in _FENCE.findall(page.read_text())
    ]
    return [fence for fence in found if fence.language in languages]


def fence(name):
    (found,) = [each for each in fences("python", "sh", "yaml") if each.name == name]
    return found


def prose(text):
    """Without fenced blocks and comments."""
    return _COMMENT.sub("", _FENCE.sub("", text))


def links(text):
    return _LINK.findall(prose(text))


@cache
def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    found = []
    for heading in _HEADING.findall(prose(page.read_text())):
        words = re.sub(r"[^\w\- ]", "", heading.lower().replace("`", ""))
        slug = words.strip().replace(" ", "-")
        num_before = found.count(slug)
        found.append(f"{slug}-{num_before}" if num_before else slug)
    return found
