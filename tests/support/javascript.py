"""Pages on an origin of their own, with OpenAI's JavaScript SDK as npm has it beside them."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

OPENAI_SDK = "openai@7.55.0"
INSTALL_WITHIN_S = 300.0
PAGE = "<!doctype html><title>a page of another origin</title>"

needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="no npm here")


def install_openai_sdk(folder: Path) -> None:
    """The SDK's modules, unmodified, under `folder`/node_modules. Skips the test where npm has no
    registry."""
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock")
    done = subprocess.run(
        ["npm", "install", *options, OPENAI_SDK],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=INSTALL_WITHIN_S,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"npm cannot install {OPENAI_SDK}: {done.stderr[-300:]}")


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def origin_of(folder: Path) -> Iterator[str]:
    """The origin of a server of the files in `folder`, with an empty page at its root."""
    (folder / "index.html").write_text(PAGE)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
