"""The server that loadtests.chaos damages, as its faults reach it."""

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import psutil

from deployments import process_titles
from deployments.server import ServerProcess
from loadtests.bench import Bench
from loadtests.enrolment import add_voice, delete_voice


class Part(StrEnum):
    T3 = "T3"
    VOCODER = "vocoder"
    INGRESS = "ingress"
    ENROLLER = "enroller"
    REGISTRY = "registry"
    PROXY = "proxy"
    CONTROLLER = "controller"


_REPLICAS = {
    Part.T3: "T3",
    Part.VOCODER: "Vocoder",
    Part.INGRESS: "Ingress",
    Part.ENROLLER: "Enroller",
}
_ACTORS = {
    Part.REGISTRY: process_titles.REGISTRY,
    Part.PROXY: process_titles.PROXY,
    Part.CONTROLLER: process_titles.CONTROLLER,
}


@dataclass
class Victim:
    """`server` and `uploads` are None where the application runs on another's cluster."""

    bench: Bench
    application: str
    list_processes: Callable[[], Iterable[psutil.Process]]
    attackers_environment: Mapping[str, str]
    server: ServerProcess | None = None
    config: Path | None = None  # of the server
    uploads: Path | None = None  # a folder with little room; None: no place for one
    _uploading: threading.Thread | None = field(default=None, init=False)
    _uploaded: str | None = field(default=None, init=False)

    def processes(self, part: Part) -> list[psutil.Process]:
        titles = _ACTORS.get(part)
        if titles is None:
            titles = process_titles.replica_of(self.application, _REPLICAS[part])
        return process_titles.titled(self.list_processes(), titles)

    def upload(self) -> str | None:
        """The id of a new voice, or None where the server made none. Its end is in the run log."""
        return add_voice(self.bench, "uploader", random.Random(1), time.monotonic())

    def start_upload(self) -> None:
        def run() -> None:
            self._uploaded = self.upload()

        self._uploaded = None
        self._uploading = threading.Thread(target=run, daemon=True)
        self._uploading.start()

    def end_upload(self) -> str | None:
        """Waits for the answer of the upload that was started. The new voice is deleted."""
        if self._uploading is not None:
            self._uploading.join()
        if self._uploaded is not None:
            delete_voice(self.bench, "uploader", self._uploaded)
        return self._uploaded
