"""Every link within the repository leads somewhere."""

import pytest

from tests.support.documents import PAGES, ROOT, anchors, links


def broken(text, page):
    """The links of a page that lead nowhere."""
    found = []
    for link in links(text):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = page if not path else (page.parent / path).resolve()
        is_there = target.exists() and target.is_relative_to(ROOT)
        if not is_there or (anchor and anchor not in anchors(target)):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    assert broken(page.read_text(), page) == []


def test_a_broken_link_is_found():
    readme = ROOT / "README.md"
    text = "[a](docs/nothing.md) [b](#nothing) [c](docs/index.md#nothing) [d](docs/index.md)"
    assert broken(text, readme) == ["docs/nothing.md", "#nothing", "docs/index.md#nothing"]


def test_every_page_is_linked_from_the_index_and_from_llms_txt():
    index, llms = (ROOT / "docs" / "index.md").read_text(), (ROOT / "llms.txt").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        if page.name != "index.md":
            assert f"]({page.name})" in index
            assert f"](docs/{page.name})" in llms


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_remote_links_are_encrypted(page):
    remote = [link for link in links(page.read_text()) if "://" in link]
    assert all(link.startswith("https://") for link in remote)
