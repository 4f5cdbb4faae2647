"""The snippets that speak with a server run against one: its interface, and real engines without
Ray. `run_snippet` works with any server's base URL."""

import os
import re
import subprocess
import sys

import pytest

from app.config import ServeArgs
from app.engine.synthesizer import LocalSynthesizer
from tests.support.api_clients import serving
from tests.support.documents import fence

DEFAULT = "127.0.0.1:8000"


@pytest.fixture(scope="module")
def url():
    synthesizer = LocalSynthesizer.open(ServeArgs(model="embedded", device="cpu"))
    try:
        with serving(synthesizer) as url:
            yield url
    finally:
        synthesizer.close()


def run_snippet(name, url, folder):
    """What the snippet printed. The snippet runs in `folder`."""
    each = fence(name)
    code = each.code.replace(DEFAULT, url.removeprefix("http://"))
    command = [sys.executable, "-c", code] if each.language == "python" else ["bash", "-ec", code]
    ended = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


pytestmark = pytest.mark.full


def test_curl_speaks_into_a_file_and_cancels(url, tmp_path):
    told = run_snippet("curl", url, tmp_path)
    sound = (tmp_path / "hello.wav").read_bytes()
    assert sound[:4] == b"RIFF"
    assert len(sound) > 20_000
    assert re.search(r'"state":"(already_done|stopped)"', told)


def test_openais_sdk_streams(url, tmp_path):
    run_snippet("openai", url, tmp_path)


def test_a_barge_in_over_the_socket_is_acknowledged(url, tmp_path):
    told = run_snippet("barge-in", url, tmp_path)
    assert "'type': 'cancelled'" in told
    assert re.search(r"'state': '(stopped|stopping)'", told)


def test_text_in_pieces_is_spoken_to_its_end(url, tmp_path):
    run_snippet("websocket", url, tmp_path)
