"""An application of its own, on the cluster of this folder, that tests may damage."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import ray
from ray import serve

from app.config import Limits, ServeArgs, T3Settings, VocoderSettings
from app.core import DEFAULT_TENANT, SessionKey, SessionReport
from deployments.app import assemble
from deployments.registry import NAMESPACE
from deployments.t3 import T3
from tests.deployments.conftest import wait_until_healthy
from tests.support.deployments.serving import Classes, noting_t3

ARGS = ServeArgs(
    model="embedded-babble",
    t3=T3Settings(slots=32),
    vocoder=VocoderSettings(slots=64, euler_steps=1),  # its sound is compared, not judged
    ingress_replicas=2,
    t3_cpus=0.2,
    limits=Limits(first_audio_s=250),  # two hundred at once wait for one another
)
RECOVERED_WITHIN_S = 120  # 15 s when calm; a replica's imports take most of it


@dataclass(frozen=True)
class Battered:
    url: str
    name: str
    notes: Path  # one line for each of T3's streams that ended: session id, finish, when

    def registry(self) -> Any:
        return ray.get_actor(f"{self.name}-registry-0", namespace=NAMESPACE)

    async def session(self, session_id: str) -> SessionReport | None:
        key = SessionKey(DEFAULT_TENANT, session_id)
        report: SessionReport | None = await self.registry().session.remote(key)
        return report

    def ends_in_t3(self, prefix: str) -> Iterator[tuple[str, str, float]]:
        """Of these sessions' segments: session id, finish (None: its consumer left), when."""
        for line in self.notes.read_text().splitlines():
            if line.startswith(prefix):
                session_id, finish, at_s = line.split()
                yield session_id, finish, float(at_s)

    def replicas(self, deployment: str) -> list[psutil.Process]:
        title = f"ray::ServeReplica:{self.name}:{deployment}"
        processes = psutil.process_iter(["cmdline"])
        return [p for p in processes if " ".join(p.info["cmdline"] or ()).startswith(title)]


@contextmanager
def battered(
    url: str, folder: Path, made_of: Callable[[type[T3]], Classes] = Classes
) -> Iterator[Battered]:
    """`made_of`: from a T3 that notes its streams' ends to the whole application."""
    name = f"battered-{uuid.uuid4().hex[:8]}"
    app = Battered(f"{url}/{name}", name, folder / f"{name}.notes")
    deploy(app, ARGS, made_of)
    wait_until_healthy(app.url)
    yield app
    serve.delete(name)


def deploy(
    app: Battered, args: ServeArgs, made_of: Callable[[type[T3]], Classes] = Classes
) -> None:
    t3, vocoder, ingress = made_of(noting_t3(app.notes))
    application = assemble(args, t3, vocoder, ingress_class=ingress)
    serve.run(application, name=app.name, route_prefix=f"/{app.name}")


async def until_it_speaks(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    give_up_at = time.monotonic() + RECOVERED_WITHIN_S
    while (await spoken(client, body)) != httpx.codes.OK:
        assert time.monotonic() < give_up_at, "it did not recover"
        await asyncio.sleep(0.2)


async def spoken(client: httpx.AsyncClient, body: dict[str, object]) -> int:
    """The status; 0 where the answer broke off."""
    try:
        response = await client.post("v1/audio/speech", json=body)
    except httpx.TransportError:
        return 0
    return response.status_code if response.content else 0
