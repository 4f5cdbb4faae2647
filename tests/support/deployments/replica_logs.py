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
    return [line for path in paths for line in lines_of(path.read_text())]


def lines_of(text: str) -> list[dict[str, Any]]:
    """Of a file to which a process writes meanwhile: its last line may have come in part."""
    return [json.loads(line) for line in text.split("\n")[:-1]]
