"""Every code of an error that a user of the page may meet has words of the page's own."""

import re
from pathlib import Path

import pytest

from tests.support.browser import needs_chromium
from tests.support.fakes import FakeSynthesizer
from tests.support.web_page import in_module, web_page

pytestmark = [pytest.mark.full, needs_chromium]

DOCS = Path(__file__).parents[2] / "docs"
ROWS = {  # of the tables of codes: how the rows begin, and which cell has the codes
    "api.md": (r"\| (?:401|500|503) \|", 2),
    "realtime.md": (r"\| `(?:conversation_full|hearing_|input_audio_too_|llm_|recogniser_)", 1),
}
THEIR_OWN = "the server's words"


@pytest.fixture(scope="module")
def page(chromium):
    with web_page(chromium, FakeSynthesizer(), ready=False) as page:
        yield page


@pytest.mark.parametrize("name", ROWS)
def test_each_code_of_a_document_has_a_message(page, name):
    begin, cell = ROWS[name]
    rows = [row for row in (DOCS / name).read_text().splitlines() if re.match(begin, row)]
    codes = re.findall(r"`([a-z_]+)`", " ".join(row.split("|")[cell] for row in rows))
    assert len(codes) > 10
    errors = [{"code": code, "message": THEIR_OWN} for code in codes]
    messages = in_module(page, "messages", "a.map(m.messageOf)", errors)
    assert [code for code, told in zip(codes, messages, strict=True) if told == THEIR_OWN] == []


def test_a_code_without_a_message_is_told_in_the_servers_words(page):
    told = in_module(page, "messages", "m.messageOf(a)", {"code": "odd", "message": THEIR_OWN})
    assert told == THEIR_OWN
