"""The dashboard and the alerts as their tests read them."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[3] / "deploy"
PROMETHEUS_YML = DEPLOY / "prometheus" / "prometheus.yml"
ALERTS_YML = DEPLOY / "prometheus" / "alerts.yml"
METRIC = re.compile(r"\bray_[a-z0-9_]+")


def panels() -> dict[str, dict[str, Any]]:
    """The panels by title, without the rows."""
    dashboard = json.loads((DEPLOY / "grafana" / "chatterbox.json").read_text())
    return {panel["title"]: panel for panel in dashboard["panels"] if panel["type"] != "row"}


def queries(variables: dict[str, str]) -> dict[str, str]:
    """Every query of every panel, by panel and letter, with its variables replaced."""
    found = {}
    for title, panel in panels().items():
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in variables.items():
                expression = expression.replace(f"${name}", value)
            found[f"{title} {target['refId']}"] = expression
    return found


def alerts() -> dict[str, str]:
    """The expressions of the alerts, by name."""
    groups = yaml.safe_load(ALERTS_YML.read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}
