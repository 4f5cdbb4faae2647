"""Every config that ships is deployed, with three changes: nodes have GPUs in name alone, the
models are embedded ones, and the engines run on the CPU. The config for a CPU needs the second
change alone. Each test takes a minute or two: all but one are `long`."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.deployments import nodes
from tests.support.deployments.declarative_deploy import IMPORT_PATH, deployed, replicas

CONFIGS = Path(__file__).parents[2] / "deploy/serve"
EMBEDDED = {"turbo": "embedded-turbo", "multilingual": "embedded-babble"}


@pytest.fixture(scope="module")
def gpu_nodes(served) -> Any:
    with nodes.added(2) as added:
        yield [node.node_id for node in added]


@pytest.fixture
def gpu_node(served) -> Any:
    with nodes.added(1) as added:
        yield added[0].node_id


def applications_of(name: str, import_path: str = IMPORT_PATH) -> list[dict[str, Any]]:
    content = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    for application in content["applications"]:
        application["import_path"] = import_path
        application["name"] = f"{name}-{application['name']}"
        application["route_prefix"] = f"/{name}{application['route_prefix']}".rstrip("/")
        application["args"] = dict(application["args"])
        application["args"]["model"] = EMBEDDED[application["args"]["model"]]
    return list(content["applications"])


def speak(url: str, application: dict[str, Any]) -> int:
    """The number of bytes of audio."""
    body = {"model": application["args"]["model"], "input": "Hello there.", "voice": "ada"}
    with httpx.Client(base_url=f"{url}{application['route_prefix']}", timeout=120) as client:
        assert client.get("/health").json()["status"] == "ok"
        answer = client.post("/v1/audio/speech", json=body | {"response_format": "pcm"})
        assert answer.status_code == httpx.codes.OK, answer.text
        cancelled = client.post("/cancel/nobody")
        assert cancelled.json()["state"] == "unknown"
        return len(answer.content)


def places(app_name: str, deployment: str) -> list[str]:
    return [replica["node_id"] for replica in replicas(app_name, deployment)]


@pytest.mark.long
def test_a_machine_without_a_gpu_has_two_processes(served):
    (application,) = applications_of("cpu", "deployments.app:build")
    with deployed([application]):
        assert speak(served.url, application) > 0
        assert [len(places(application["name"], name)) for name in ("T3", "Vocoder")] == [1, 1]


@pytest.mark.long
def test_one_gpu_is_shared_by_two_processes(served, gpu_nodes):
    (application,) = applications_of("one-gpu")
    with deployed([application]):
        assert speak(served.url, application) > 0
        t3, vocoder = (places(application["name"], name) for name in ("T3", "Vocoder"))
        assert set(t3 + vocoder) <= set(gpu_nodes)


@pytest.mark.long
def test_colocated_engines_are_one_process(served, gpu_node):
    (application,) = applications_of("one-gpu-colocated")
    with deployed([application]):
        assert speak(served.url, application) > 0
        assert places(application["name"], "Colocated") == [gpu_node]


@pytest.mark.long
def test_each_of_two_gpus_has_one_stage(served, gpu_nodes):
    (application,) = applications_of("two-gpus")
    with deployed([application]):
        assert speak(served.url, application) > 0
        t3, vocoder = (places(application["name"], name) for name in ("T3", "Vocoder"))
        assert sorted(t3 + vocoder) == sorted(gpu_nodes)


@pytest.mark.long
def test_a_cluster_serves_each_model_under_its_prefix(served, gpu_nodes):
    applications = applications_of("cluster")
    with deployed(applications):
        for application in applications:
            assert speak(served.url, application) > 0
            assert len(places(application["name"], "Ingress")) == 2
