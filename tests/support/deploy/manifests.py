"""Kubernetes objects and the schemas of their fields, so that a misspelt field is an error. A
cluster drops a field that it does not know without any message."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from tests.support.strict_schema import strict

ROOT = Path(__file__).parents[3]
KUBERAY = ROOT / "deploy" / "kuberay"
RAYSERVICE_SCHEMA = Path(__file__).parent / "schemas" / "rayservice-v1.json.gz"

_SELECTOR = {
    "type": "object",
    "properties": {
        "matchLabels": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
_PEER = {
    "type": "object",
    "minProperties": 1,
    "properties": {"podSelector": _SELECTOR, "namespaceSelector": _SELECTOR},
}
_PORT = {
    "type": "object",
    "required": ["port", "protocol"],
    "properties": {"port": {"type": "integer"}, "protocol": {"enum": ["TCP", "UDP"]}},
}


def _kind(api_version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": api_version},
            "kind": {"const": kind},
            "metadata": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}},
            },
            "spec": {"type": "object"} | spec,
        },
    }


NETWORK_POLICY = _kind(
    "networking.k8s.io/v1",
    "NetworkPolicy",
    {
        "required": ["podSelector", "policyTypes", "ingress"],
        "properties": {
            "podSelector": _SELECTOR,
            "policyTypes": {"items": {"enum": ["Ingress", "Egress"]}},
            "ingress": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["from"],
                    "properties": {
                        "from": {"type": "array", "minItems": 1, "items": _PEER},
                        "ports": {"type": "array", "items": _PORT},
                    },
                },
            },
        },
    },
)
# For the pods of a custom resource without a scale subresource, only a whole minAvailable works.
DISRUPTION_BUDGET = _kind(
    "policy/v1",
    "PodDisruptionBudget",
    {
        "required": ["minAvailable", "selector"],
        "properties": {"minAvailable": {"type": "integer"}, "selector": _SELECTOR},
    },
)


def objects(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((KUBERAY / name).read_text()))


def schema_of(kind: str) -> dict[str, Any]:
    if kind == "RayService":
        schema: dict[str, Any] = json.loads(gzip.decompress(RAYSERVICE_SCHEMA.read_bytes()))
        return schema
    return {"NetworkPolicy": NETWORK_POLICY, "PodDisruptionBudget": DISRUPTION_BUDGET}[kind]


def faults(content: dict[str, Any]) -> list[str]:
    validator = Draft202012Validator(strict(schema_of(content["kind"])))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)]


def containers(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from pod["spec"]["containers"]
