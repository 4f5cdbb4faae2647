"""Applications deployed as `serve deploy` would: from a config's content."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray import serve
from ray.serve.context import _get_global_client  # Serve has no public call but HTTP's
from ray.serve.schema import ServeDeploySchema

IMPORT_PATH = "tests.support.deployments.on_cpu:build"


@contextmanager
def deployed(applications: list[dict[str, Any]]) -> Iterator[None]:
    """Until they run; deleted at the end. Others that were not declared stay."""
    schema = ServeDeploySchema.model_validate({"applications": applications})
    client = _get_global_client()
    client.deploy_apps(schema, _blocking=False)
    try:
        for application in applications:
            client._wait_for_application_running(application["name"], timeout_s=240)
        yield
    finally:
        for application in applications:
            serve.delete(application["name"])


def replicas(app_name: str, deployment: str) -> list[dict[str, Any]]:
    """Serve's details of each: `replica_id`, `node_id`, `state`, `pid`."""
    details = _get_global_client().get_serve_details()
    told: list[dict[str, Any]] = details["applications"][app_name]["deployments"][deployment][
        "replicas"
    ]
    return told
