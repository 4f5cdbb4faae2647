"""A real Prometheus scrapes the served application and answers every panel and alert of ours."""

import asyncio
import subprocess
import uuid

import httpx
import pytest

from deployments.server import free_port
from tests.support.deploy.dashboard import ALERTS_YML, METRIC, PROMETHEUS_YML, alerts, queries
from tests.support.deployments.prometheus import binary, scraping
from tests.support.deployments.served_app import SENTENCE, ServedApp, client_of, speech_body

VARIABLES = {"application": ".*", "__rate_interval": "2m"}
SEEN_WITHIN_S = 150  # a page of a busy node takes seconds, and Ray exports every few
LOADED_S = 1.0  # between two listeners, so that series grow while they are scraped


async def stopped(client: httpx.AsyncClient, *, by_cancel: bool) -> None:
    """A session that ends after its first audio."""
    session = uuid.uuid4().hex
    request = client.stream(
        "POST",
        "/v1/audio/speech",
        json=speech_body(SENTENCE * 4),
        headers={"X-Request-ID": session},
    )
    async with request as response:
        parts = response.aiter_raw()
        await anext(parts)
        if by_cancel:
            assert (await client.post(f"/cancel/{session}")).is_success


async def load(url: str) -> None:
    """Sessions that end in every way, until cancelled."""
    async with client_of(url) as client:
        while True:
            assert (
                await client.post("/v1/audio/speech", json=speech_body("Hello there."))
            ).is_success
            refused = await client.post("/v1/audio/speech", json=speech_body("", voice="nobody"))
            assert refused.is_client_error
            await stopped(client, by_cancel=True)
            await stopped(client, by_cancel=False)
            await asyncio.sleep(LOADED_S)


async def test_every_panel_and_alert_finds_series_of_a_loaded_server(
    served: ServedApp, metrics_port, tmp_path
):
    named = {
        f"{alert} {metric}": metric
        for alert, expression in alerts().items()
        for metric in METRIC.findall(expression)
    }
    wanted = queries(VARIABLES) | named
    loading = asyncio.ensure_future(load(served.url))
    with scraping(metrics_port, free_port(), tmp_path) as prometheus:
        missing = await asyncio.to_thread(prometheus.wait_for_series, wanted, SEEN_WITHIN_S)
        assert not loading.done(), loading.exception()
        loading.cancel()
        assert missing == []
        misspelt = {name: query.replace("_total", "_totl") for name, query in wanted.items()}
        blind = prometheus.without_series(misspelt)
        assert set(blind) == {name for name in wanted if misspelt[name] != wanted[name]}
        (group,) = prometheus.ask("rules")["groups"]
        assert [rule["health"] for rule in group["rules"]] == ["ok"] * len(alerts())
        (target,) = prometheus.ask("targets")["activeTargets"]
        assert target["lastError"] == ""
        log = (tmp_path / "log").read_text()
        assert "duplicate" not in log.lower()  # a label that tells two series apart was dropped


@pytest.mark.parametrize(
    "command", [("check", "config", PROMETHEUS_YML), ("check", "rules", ALERTS_YML)]
)
def test_promtool_accepts_our_files(command):
    checked = subprocess.run(
        [binary("promtool"), *map(str, command)], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
