"""`serve deploy` of a changed config on a running server."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from deployments.process_titles import REPLICA, titled
from deployments.server import ServerProcess

ROOT = Path(__file__).parents[1]


def changed(config: dict[str, Any]) -> dict[str, Any]:
    """The same application with another setting, which every deployment has."""
    application = config["applications"][0]
    limits = application["args"].get("limits", {})
    limits = limits | {"remember_s": limits.get("remember_s", 300.0) - 1}
    args = application["args"] | {"limits": limits}
    return {"applications": [application | {"args": args}]}


def deploy(server: ServerProcess, config: Path) -> None:
    """Returns when Serve has accepted the config. Raises RuntimeError without a dashboard, and
    CalledProcessError."""
    command = [str(Path(sys.executable).with_name("serve")), "deploy", str(config)]
    address = server.dashboard_url()
    if address is None:
        raise RuntimeError("the dashboard does not listen")
    subprocess.run([*command, "--address", address], env=server.environment(), check=True, cwd=ROOT)


def replicas(server: ServerProcess) -> set[int]:
    """The ids of their processes."""
    return {process.pid for process in titled(server.processes(), REPLICA)}
