"""The manifests against KubeRay's schema, and their promises: no test runs them on a cluster."""

import copy
from typing import Any

import pytest
import yaml

from app.config import Limits, ServeArgs
from deployments import haproxy
from deployments.app import LONGEST_STREAM_GRACE_S
from deployments.config_check import check_config
from tests.support.deploy.manifests import KUBERAY, containers, faults, objects

(SERVICE,) = objects("rayservice.yaml")
POLICIES = objects("policies.yaml")
CLUSTER = SERVICE["spec"]["rayClusterConfig"]
GROUPS = {group["groupName"]: group for group in CLUSTER["workerGroupSpecs"]}
PODS = {"head": CLUSTER["headGroupSpec"]["template"]} | {
    name: group["template"] for name, group in GROUPS.items()
}
SERVE = yaml.safe_load(SERVICE["spec"]["serveConfigV2"])
(APPLICATION,) = SERVE["applications"]


@pytest.mark.parametrize("content", [SERVICE, *POLICIES], ids=lambda it: it["metadata"]["name"])
def test_a_manifest_fits_its_schema(content):
    assert faults(content) == []


CLUSTER_PATH = ("spec", "rayClusterConfig")
HEAD_POD = (*CLUSTER_PATH, "headGroupSpec", "template", "spec")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "serveConfig"), ""),
        (("spec", "rayClusterDeletionDelaySecond"), 660),
        ((*CLUSTER_PATH, "enableInTreeAutoscalling"), True),
        ((*CLUSTER_PATH, "authOptions", "mode"), "tokens"),
        ((*CLUSTER_PATH, "workerGroupSpecs", 0, "maxReplica"), 4),
        ((*HEAD_POD, "terminationGracePeriod"), 660),
        ((*HEAD_POD, "containers", 0, "readynessProbe"), {}),
        ((*HEAD_POD, "securityContext", "runAsNonroot"), True),
        ((*HEAD_POD, "containers", 0, "ports", 0, "containerPort"), "many"),
    ],
    ids=lambda it: it[-1] if isinstance(it, tuple) else None,
)
def test_a_wrong_field_is_found(path, value):
    content: Any = copy.deepcopy(SERVICE)
    place = content
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    found = faults(content)
    assert found
    assert all(str(path[-1]) in fault for fault in found)


def test_a_group_without_a_template_is_found():
    content = copy.deepcopy(SERVICE)
    del content["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]["template"]
    assert any("'template' is a required property" in fault for fault in faults(content))


def test_a_policy_with_a_misspelt_field_is_found():
    content = copy.deepcopy(POLICIES[0])
    content["spec"]["ingres"] = content["spec"].pop("ingress")
    assert faults(content)


# -- the deployed config ---------------------------------------------------------------------------


def test_the_manifest_has_a_copy_of_serve_yaml():
    assert yaml.safe_load((KUBERAY / "serve.yaml").read_text()) == SERVE


def test_the_served_config_is_valid_and_needs_keys(monkeypatch):
    with pytest.raises(Exception, match="reachable from outside"):
        check_config(KUBERAY / "serve.yaml")
    key = f"- {{name: app, sha256: {'a' * 64}, tenant: red}}"
    monkeypatch.setenv("CHATTERBOX_API_KEYS", key)
    check_config(KUBERAY / "serve.yaml")


def test_every_deployment_has_a_group_that_can_hold_it():
    args = ServeArgs.model_validate(APPLICATION["args"])
    for deployment in APPLICATION["deployments"]:
        options = deployment["ray_actor_options"]
        ((resource, _),) = options["resources"].items()
        (group,) = [
            group
            for group in GROUPS.values()
            if resource in yaml.safe_load(yaml.safe_load(group["rayStartParams"]["resources"]))
        ]
        (container,) = containers(group["template"])
        limits = container["resources"]["limits"]
        assert options["num_cpus"] <= float(group["rayStartParams"]["num-cpus"])
        assert options.get("num_gpus", 0) <= float(limits.get("nvidia.com/gpu", 0))
        most = deployment.get("autoscaling_config", {}).get("max_replicas", 1)
        assert group["maxReplicas"] >= most
        assert float(limits["cpu"]) >= float(group["rayStartParams"]["num-cpus"])
    assert (args.t3_gpus, args.vocoder_gpus) == (1, 1)


def test_no_replica_runs_on_the_head():
    assert CLUSTER["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert SERVICE["spec"]["excludeHeadPodFromServeSvc"]


# -- the rights of a pod, and its end --------------------------------------------------------------


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_not_root_and_cannot_become_root(name):
    pod = PODS[name]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    for container in containers(PODS[name]):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert container["resources"]["limits"] == container["resources"]["requests"]


@pytest.mark.parametrize("name", PODS)
def test_a_terminated_pod_has_longer_than_the_longest_stream(name):
    longest_s = ServeArgs.model_validate(APPLICATION["args"]).limits.request_timeout_s
    assert longest_s == Limits().request_timeout_s
    allowed_s = PODS[name]["spec"]["terminationGracePeriodSeconds"]
    assert allowed_s > longest_s + LONGEST_STREAM_GRACE_S
    assert SERVICE["spec"]["rayClusterDeletionDelaySeconds"] >= allowed_s
    assert SERVE["http_options"]["request_timeout_s"] > longest_s


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_probes_read_only_weights_and_keys_from_a_secret(name):
    (container,) = containers(PODS[name])
    assert {"readinessProbe", "livenessProbe"} <= container.keys()
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["models"]["readOnly"]
    assert APPLICATION["args"]["model"].startswith(mounts["models"]["mountPath"])
    for place in ("voices", "uploads"):
        assert APPLICATION["args"][place].startswith(mounts["voices"]["mountPath"])
    assert {volume["name"] for volume in PODS[name]["spec"]["volumes"]} == mounts.keys()
    (keys,) = [entry for entry in container["env"] if entry["name"] == "CHATTERBOX_API_KEYS"]
    assert "secretKeyRef" in keys["valueFrom"]


def test_a_pod_gets_requests_when_its_proxy_answers():
    (container,) = containers(PODS["ingress"])
    assert ":8000/-/healthz" in container["readinessProbe"]["exec"]["command"][-1]


@pytest.mark.parametrize("name", PODS)
def test_every_pod_has_haproxy_without_splicing(name):
    (container,) = containers(PODS[name])
    environment = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert environment["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
    assert environment["RAY_SERVE_THROUGHPUT_OPTIMIZED"] == "1"
    assert environment[haproxy.VARIABLE] == f"/usr/local/bin/{haproxy.NAME}"  # the system's Python
    assert environment[haproxy.SILENCE] == haproxy.variables()[haproxy.SILENCE]


def test_the_ports_of_ray_need_a_token():
    assert CLUSTER["authOptions"]["mode"] == "token"


# -- the callers of a pod --------------------------------------------------------------------------


def reachable(labels: dict[str, str]) -> set[tuple[bool, int | None]]:
    """(whether from our own pods, port) that the policies let in. Port None: any port."""
    found = set()
    for policy in POLICIES:
        spec = policy["spec"]
        if policy["kind"] != "NetworkPolicy" or not selects(spec["podSelector"], labels):
            continue
        for rule in spec["ingress"]:
            own = all("namespaceSelector" not in peer for peer in rule["from"])
            ports = rule.get("ports") or [{"port": None}]
            found |= {(own, port["port"]) for port in ports}
    return found


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return selector["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("name", PODS)
def test_callers_reach_only_the_ingress_group(name):
    labels = PODS[name]["metadata"]["labels"]
    from_outside = {port for own, port in reachable(labels) if not own}
    assert from_outside == ({8000, 8080, 8265} if name == "ingress" else {8080, 8265})


@pytest.mark.parametrize("name", PODS)
def test_the_last_pod_of_a_group_is_not_evicted(name):
    labels = PODS[name]["metadata"]["labels"]
    budgets = [policy for policy in POLICIES if policy["kind"] == "PodDisruptionBudget"]
    (budget,) = [b for b in budgets if selects(b["spec"]["selector"], labels)]
    assert budget["spec"]["minAvailable"] == 1
