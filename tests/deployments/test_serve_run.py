"""Ray's own `serve run serve_config.yaml`, and the dashboard of its cluster."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from app.config import ServeArgs
from app.errors import ConfigError
from deployments.app import build
from deployments.config_check import DEPLOYMENTS
from deployments.server import MARK, free_port
from tests.support.browser import browser_page, needs_chromium
from tests.support.deployments.served_app import wait_until_healthy

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
STOPS_WITHIN_S = 150  # mostly 10 s; Ray waits 30 s for a controller that has ended already
# A background job of a shell ignores SIGINT, and so would its children.
FOREGROUND = ("env", "--default-signal=INT")


@dataclass(frozen=True)
class ServeRun:
    url: str
    dashboard: str


@pytest.fixture(scope="module")
def serve_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeRun]:
    folder = tmp_path_factory.mktemp("serve_run")
    content = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    content["http_options"]["port"] = port = free_port()
    config, log = folder / "serve_config.yaml", folder / "serve.log"
    config.write_text(yaml.safe_dump(content))
    mark = uuid.uuid4().hex
    # Without RAY_ADDRESS the command would join the cluster of this folder's other tests.
    environment = os.environ | {MARK: mark, "RAY_ADDRESS": "local", "RAY_USAGE_STATS_ENABLED": "0"}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*FOREGROUND, BIN / "serve", "run", config],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
        contextlib.ExitStack() as undo,
    ):
        undo.callback(_kill_all, mark)
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(url, process, log)
        plain = re.sub(r"\x1b\[[\d;]*m", "", log.read_text())
        yield ServeRun(url, re.findall(r"dashboard at (http://127\.0\.0\.1:\d+)", plain)[0])
        process.send_signal(signal.SIGINT)
        assert process.wait(STOPS_WITHIN_S) == 0


def _kill_all(mark: str) -> None:
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get(MARK) == mark:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def test_the_application_refuses_an_unknown_setting():
    with pytest.raises(ValueError, match="voics"):
        ServeArgs.model_validate({"voics": "/voices"})


def test_the_application_refuses_haproxy_without_keys(monkeypatch):
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "1")
    with pytest.raises(ConfigError, match="HAProxy listens on every interface"):
        build(ServeArgs())


def test_it_speaks(serve_run: ServeRun):
    body = {"model": "embedded", "voice": "ada", "response_format": "pcm", "input": "Hello."}
    spoken = httpx.post(f"{serve_run.url}/v1/audio/speech", json=body, timeout=60)
    assert spoken.is_success
    assert len(spoken.content) > 10_000


def test_the_dashboard_asks_for_the_token_and_lists_the_deployments(serve_run: ServeRun):
    route = f"{serve_run.dashboard}/api/serve/applications/"
    assert httpx.get(route, timeout=30).status_code == httpx.codes.UNAUTHORIZED
    shown = subprocess.run(
        [BIN / "ray", "get-auth-token"], capture_output=True, text=True, check=True, timeout=60
    )
    answer = httpx.get(route, headers={"authorization": f"Bearer {shown.stdout}"}, timeout=30)
    application = answer.raise_for_status().json()["applications"]["chatterbox"]
    assert application["status"] == "RUNNING"
    assert {"Ingress", "T3", "Vocoder"} <= set(application["deployments"]) <= set(DEPLOYMENTS)
    replicas = application["deployments"]["T3"]["replicas"]
    assert [replica["state"] for replica in replicas] == ["RUNNING"]


@pytest.mark.long
@needs_chromium
def test_a_browser_shows_the_deployments_and_the_registry(serve_run: ServeRun, tmp_path: Path):
    """SCREENSHOTS names the folder that keeps the two pictures of docs/operations.md."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    token = subprocess.run(
        [BIN / "ray", "get-auth-token"], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()
    with browser_page() as page:
        page.goto(f"{serve_run.dashboard}/#/serve")
        page.get_by_role("textbox").fill(token)
        page.get_by_role("button", name="Submit").click()
        for shown in ("chatterbox", "Ingress", "T3", "Vocoder"):
            page.get_by_text(shown, exact=True).first.wait_for()
        page.screenshot(path=folder / "dashboard-serve.png")
        page.goto(f"{serve_run.dashboard}/#/actors")
        page.get_by_text("chatterbox-registry-0").first.wait_for()
        page.screenshot(path=folder / "dashboard-actors.png")
