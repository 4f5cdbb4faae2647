"""An application of its own, on the cluster of this folder, that tests may damage."""

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

from app.config import Limits, ServeArgs, VocoderSettings
from app.core import DEFAULT_TENANT, SessionKey, SessionReport
from app.hearing_settings import HearingSettings
from app.t3_settings import T3Settings
from deployments.app import assemble
from deployments.named_actors import NAMESPACE
from deployments.process_titles import replica_of, titled
from deployments.t3 import T3
from tests.support.deployments.controlled_stages import Classes, noting_t3
from tests.support.deployments.replica_logs import AS_JSON
from tests.support.deployments.served_app import wait_until_healthy
from tests.support.eventually import eventually

ARGS = ServeArgs(
    model="embedded-babble",
    t3=T3Settings(slots=32),
    # Tests compare its audio with itself, sample by sample.
    vocoder=VocoderSettings(slots=64, euler_steps=1, max_rows=1),
    ingress_replicas=2,
    t3_cpus=0.2,
    # Two hundred sessions at once wait for one another in the engines.
    limits=Limits(first_audio_s=250, admit="all"),
    hearing=HearingSettings(num_warm=0),
    hearing_cpus=0.1,
)
RECOVERED_WITHIN_S = 120  # 15 s on a quiet machine; a replica's imports take most of that


@dataclass(frozen=True)
class ExpendableApp:
    url: str
    name: str
    notes: Path  # one line for each stream of T3 that ended: session id, finish, time

    def registry(self) -> Any:
        return ray.get_actor(f"{self.name}-registry-0", namespace=NAMESPACE)

    async def session(self, session_id: str) -> SessionReport | None:
        key = SessionKey(DEFAULT_TENANT, session_id)
        report: SessionReport | None = await self.registry().session.remote(key)
        return report

    def ends_in_t3(self, prefix: str) -> Iterator[tuple[str, str, float]]:
        """Of the segments of these sessions: session id, finish (None: the consumer left), time."""
        for line in self.notes.read_text().splitlines():
            if line.startswith(prefix):
                session_id, finish, at_s = line.split()
                yield session_id, finish, float(at_s)

    def replicas(self, deployment: str) -> list[psutil.Process]:
        return titled(psutil.process_iter(), replica_of(self.name, deployment))


@contextmanager
def expendable_app(
    url: str, folder: Path, made_of: Callable[[type[T3]], Classes] = Classes
) -> Iterator[ExpendableApp]:
    """`made_of`: the application's classes, from a T3 that notes how its streams ended."""
    name = f"expendable-{uuid.uuid4().hex[:8]}"
    app = ExpendableApp(f"{url}/{name}", name, folder / f"{name}.notes")
    deploy(app, ARGS, made_of)
    wait_until_healthy(app.url)
    yield app
    serve.delete(name)


def deploy(
    app: ExpendableApp, args: ServeArgs, made_of: Callable[[type[T3]], Classes] = Classes
) -> None:
    t3, vocoder, ingress = made_of(noting_t3(app.notes))
    application = assemble(args, t3, vocoder, ingress_class=ingress)
    serve.run(application, name=app.name, route_prefix=f"/{app.name}", logging_config=AS_JSON)


async def until_it_speaks(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    async def speaks() -> bool:
        return await spoken(client, body) == httpx.codes.OK

    await eventually(speaks, RECOVERED_WITHIN_S, "the application speaks again", every_s=0.2)


async def spoken(client: httpx.AsyncClient, body: dict[str, object]) -> int:
    """The status; 0 where the answer broke off."""
    try:
        response = await client.post("v1/audio/speech", json=body)
    except httpx.TransportError:
        return 0
    return response.status_code if response.content else 0
