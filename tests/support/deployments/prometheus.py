"""A real Prometheus on our scrape config and our alerts, while a test runs."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.deploy.dashboard import ALERTS_YML, PROMETHEUS_YML
from tests.support.eventually import eventually_sync

STARTS_WITHIN_S = 60
SCRAPE_S = 3


def binary(name: str) -> str:
    """Where the program is not installed the test is skipped, in CI it fails."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not on PATH (Debian: apt-get install prometheus)"
        if "CI" in os.environ:
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class Prometheus:
    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, what: str, **params: str) -> Any:
        answer = httpx.get(f"{self._url}/{what}", params=params, timeout=30)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()["data"]

    def without_series(self, queries: dict[str, str]) -> list[str]:
        """The names of the queries that find nothing."""
        return [
            name for name, query in queries.items() if not self.ask("query", query=query)["result"]
        ]

    def wait_for_series(self, queries: dict[str, str], within_s: float) -> list[str]:
        """Waits until every query has found something, at different times if need be. Returns
        the names of those that have not when the time is over."""
        missing = list(queries)

        def all_found() -> bool:
            nonlocal missing
            missing = self.without_series({name: queries[name] for name in missing})
            return not missing

        with suppress(AssertionError):
            eventually_sync(all_found, within_s, "every query finds series", every_s=SCRAPE_S)
        return missing


def _config(folder: Path, metrics_port: int) -> Path:
    """Our scrape config, with other addresses of the nodes and another interval."""
    content = yaml.safe_load(PROMETHEUS_YML.read_text())
    content["global"].update(scrape_interval=f"{SCRAPE_S}s", scrape_timeout=f"{SCRAPE_S}s")
    (job,) = content["scrape_configs"]
    nodes = folder / "nodes.yml"
    nodes.write_text(yaml.safe_dump([{"targets": [f"127.0.0.1:{metrics_port}"]}]))
    job["file_sd_configs"][0]["files"] = [str(nodes)]
    content["rule_files"] = [str(ALERTS_YML)]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(content))
    return path


@contextmanager
def scraping(metrics_port: int, port: int, folder: Path) -> Iterator[Prometheus]:
    command = [
        binary("prometheus"),
        f"--config.file={_config(folder, metrics_port)}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:

        def is_ready() -> bool:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                return httpx.get(f"http://127.0.0.1:{port}/-/ready").status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

        eventually_sync(is_ready, STARTS_WITHIN_S, "Prometheus is ready", every_s=0.2)
        yield Prometheus(port)
    finally:
        process.terminate()
        process.wait(30)
