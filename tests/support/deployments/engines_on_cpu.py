"""The application of a config that asks for GPUs, on nodes that have GPUs in name alone: Ray places
the replicas as on real GPUs, and the engines run on the CPU."""

from typing import Any

from ray.serve import Application

from app.config import ServeArgs
from deployments.app import assemble
from deployments.colocated import Colocated
from deployments.t3 import T3
from deployments.vocoder import Vocoder


class CpuT3(T3):
    def __init__(self, args: ServeArgs, device: str) -> None:
        assert device == "cuda", "its config asks for a GPU"
        super().__init__(args, "cpu")


class CpuVocoder(Vocoder):
    def __init__(self, args: ServeArgs, device: str, t3: Any) -> None:
        assert device == "cuda", "its config asks for a GPU"
        super().__init__(args, "cpu", t3)


class CpuColocated(Colocated):
    def __init__(self, args: ServeArgs, device: str) -> None:
        assert device == "cuda", "its config asks for a GPU"
        super().__init__(args, "cpu")


def build(args: ServeArgs) -> Application:
    """Serve's entry point, in place of deployments.app:build."""
    return assemble(args, CpuT3, CpuVocoder, colocated_class=CpuColocated)
