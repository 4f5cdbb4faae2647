"""The dashboard and the alerts without a server. tests/deployments/test_metrics.py sends their
queries to a real Prometheus."""

import re
from pathlib import Path

import pytest
import yaml

import deployments.metrics
from tests.support.deploy.dashboard import (
    ALERTS_YML,
    METRIC,
    PROMETHEUS_YML,
    alerts,
    panels,
    queries,
)

OURS = set(re.findall(r'"(chatterbox_\w+)"', Path(deployments.metrics.__file__).read_text()))
SUFFIX = re.compile(r"_(bucket|count|sum)$")
UNITS = {"ms", "s", "short", "percentunit", "reqps"}


def test_the_dashboard_has_panels():
    assert len(panels()) > 20


@pytest.mark.parametrize("title", panels())
def test_a_panel_has_a_unit_and_a_description(title):
    panel = panels()[title]
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert len(panel["description"]) > 60


def test_no_panel_overlaps_another():
    taken = set()
    for panel in panels().values():
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, panel["title"]
                taken.add((x, y))


@pytest.mark.parametrize("name", alerts())
def test_an_alert_has_an_action(name):
    groups = yaml.safe_load(ALERTS_YML.read_text())["groups"]
    (rule,) = [rule for group in groups for rule in group["rules"] if rule["alert"] == name]
    assert rule["annotations"].keys() == {"summary", "action"}
    assert rule["labels"]["severity"] in ("page", "ticket")


def unknown(expressions: dict[str, str]) -> set[str]:
    used = {name for query in expressions.values() for name in METRIC.findall(query)}
    ours = {SUFFIX.sub("", name.removeprefix("ray_")) for name in used if "chatterbox" in name}
    return ours - OURS


def test_every_queried_metric_of_ours_exists():
    assert unknown(queries({}) | alerts()) == set()
    assert unknown({"misspelt": "rate(ray_chatterbox_sesions_total[5m])"}) != set()


def test_the_scrape_keeps_every_queried_metric():
    config = yaml.safe_load(PROMETHEUS_YML.read_text())
    keep, *_ = config["scrape_configs"][0]["metric_relabel_configs"]
    kept = re.compile(keep["regex"])
    asked = {name for query in (queries({}) | alerts()).values() for name in METRIC.findall(query)}
    assert [name for name in asked if not kept.fullmatch(name)] == []
    assert not kept.fullmatch("ray_serve_replica_processing_queries")
