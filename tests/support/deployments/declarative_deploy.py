"""Applications deployed as `serve deploy` does it: from the content of a config."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ray import serve
from ray.serve.context import _get_global_client  # Serve has this call in its HTTP API alone
from ray.serve.schema import ServeDeploySchema

IMPORT_PATH = "tests.support.deployments.engines_on_cpu:build"


@contextmanager
def deployed(applications: list[dict[str, Any]]) -> Iterator[None]:
    """Returns when the applications run, and deletes them at the end. Applications that were
    deployed in another way stay."""
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
    """Serve's details of each replica: `replica_id`, `node_id`, `state`, `pid`, `log_file_path`."""
    application = _get_global_client().get_serve_details()["applications"][app_name]
    details: list[dict[str, Any]] = application["deployments"][deployment]["replicas"]
    return details
