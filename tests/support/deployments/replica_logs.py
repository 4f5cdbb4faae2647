"""The log files of the replicas of this folder's cluster."""

import json
from pathlib import Path
from typing import Any

import ray

AS_JSON = {"encoding": "JSON", "additional_log_standard_attrs": ["name"]}  # name: the logger


def log_lines(app_name: str, deployment: str) -> list[dict[str, Any]]:
    """Of all replicas of the deployment, where its logging_config is AS_JSON."""
    folder = Path(ray._private.worker._global_node.get_logs_dir_path()) / "serve"
    paths = folder.glob(f"replica_{app_name}_{deployment}_*.log")
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]
