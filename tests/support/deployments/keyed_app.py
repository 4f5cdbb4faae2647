"""An application with keys, uploads and two ingresses, whose model can be unloaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ray import serve

from app.config import Limits, ServeArgs
from deployments.app import assemble
from tests.support.api_keys import key
from tests.support.deployments.served_app import wait_until_healthy

NAME = "keyed"
MODEL = "embedded-babble"
KEYS = (
    key("two-at-once", "two", "red", ("speak",), max_concurrent=2),
    key("any-number", "any", "blue", ("speak", "voices")),
    key("stop-all", "boss", "ops", ("speak", "admin")),
)
LOADED_WITHIN_S = 180


@contextmanager
def keyed_app(url: str, uploads: Path) -> Iterator[str]:
    """Its URL."""
    args = ServeArgs(
        model=MODEL,
        ingress_replicas=2,
        registry_shards=2,
        uploads=str(uploads),
        limits=Limits(first_audio_s=LOADED_WITHIN_S),
    )
    serve.run(
        assemble(args, keys=KEYS),
        name=NAME,
        route_prefix=f"/{NAME}",
        external_scaler_enabled=True,
    )
    wait_until_healthy(f"{url}/{NAME}")
    yield f"{url}/{NAME}"
    serve.delete(NAME)
