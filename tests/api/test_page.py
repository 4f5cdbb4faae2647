"""The page's files: who gets them, with which headers, and what a page of this server may ask."""

import re

import pytest

from app.api.page import FOLDER, HEADERS
from tests.support.api_clients import in_process, speech
from tests.support.api_keys import bearer_of, key
from tests.support.fakes import FakeSynthesizer

KEYS = (key("red-key", "red", "red", ("speak",)),)
FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".js", ".css", ".svg"))
HOST = "tts.example:8443"


async def ask(path, method="GET", headers=None, **options):
    async with in_process(FakeSynthesizer(), **options) as client:
        return await client.request(method, path, headers=headers)


async def test_the_document_and_each_of_its_files_are_served_with_the_policy():
    async with in_process(FakeSynthesizer()) as client:
        paths = ("/play", *(f"/play/{name}" for name in FILES))
        answers = [await client.get(path) for path in paths]
    for answer in answers:
        assert answer.status_code == 200
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "unsafe" not in answer.headers["content-security-policy"]


async def test_the_document_has_no_script_or_style_within_and_names_no_other_host():
    text = (await ask("/play")).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style| style=| on\w+=|https?://", text)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".js")])
def test_a_module_imports_files_of_the_page_alone(name):
    text = (FOLDER / name).read_text()
    imported = re.findall(r"""(?:from|import) ?\(?["'](.+?)["']""", text)
    assert {each.removeprefix("./") for each in imported} <= set(FILES)


async def test_a_file_that_did_not_change_is_not_sent_again():
    first = await ask("/play/client.js")
    again = await ask("/play/client.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_slash_at_the_end_leads_to_the_address_that_the_links_are_relative_to():
    answer = await ask("/play/")
    assert (answer.status_code, answer.headers["location"]) == (307, "../play")


@pytest.mark.parametrize(
    "name", ["__init__.py", "nothing.js", "..%2fapi%2fpage.py", "%2e%2e/app.py", "a/b.js", ".js"]
)
async def test_nothing_but_the_pages_files_is_served(name):
    assert (await ask(f"/play/{name}")).status_code == 404


async def test_a_server_with_keys_gives_the_page_to_everybody_and_nothing_else():
    for path in ("/play", "/play/client.js"):
        assert (await ask(path, keys=KEYS)).status_code == 200
    for path in ("/player", "/play.js", "/v1/models"):
        assert (await ask(path, keys=KEYS)).status_code == 401


@pytest.mark.parametrize("path", ["/play", "/play/client.js"])
async def test_a_server_without_keys_gives_the_page_to_its_own_machine_alone(path):
    answer = await ask(path, headers={"Host": HOST})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "loopback_only")


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_page_of_this_server_may_speak(scheme):
    headers = {"Host": HOST, "Origin": f"{scheme}://{HOST}", **bearer_of("red-key")}
    async with in_process(FakeSynthesizer(), keys=KEYS) as client:
        answer = await client.post("/v1/audio/speech", json=speech(), headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://tts.example",
        "https://tts.example:8444",
        "https://tts.example:8443.evil.example",
        "ftp://tts.example:8443",
        "null",
        "",
    ],
)
async def test_a_page_of_another_host_or_port_may_not(origin):
    headers = {"Host": HOST, "Origin": origin, **bearer_of("red-key")}
    async with in_process(FakeSynthesizer(), keys=KEYS) as client:
        answer = await client.post("/v1/audio/speech", json=speech(), headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_not_allowed")
