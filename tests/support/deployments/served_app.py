"""A served application as its tests reach it, and what they ask of it."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import soundfile

from app.core import SAMPLE_RATE
from tests.support.audio_samples import spoken_vowels
from tests.support.eventually import eventually, eventually_sync

READY_WITHIN_S = 240  # 25 s on a quiet machine
IDLE_WITHIN_S = 30
LOG_CHARS = 10_000  # of a server that ended
SENTENCE = "It was a bright cold day in April, and the clocks were striking thirteen; she waited. "
LONG_TEXT = SENTENCE * 2


@dataclass(frozen=True)
class ServedApp:
    url: str
    gate: Path  # holds T3 in sessions whose id begins with "hold"; see controlled_stages.py
    t3: Any  # handle
    vocoder: Any
    voices: Path  # the folder of the recordings that the application serves


def speech_body(text: str, **fields: object) -> dict[str, object]:
    """A request of the embedded model, as raw audio."""
    return {
        "model": "embedded-babble",
        "input": text,
        "voice": "ada",
        "response_format": "pcm",
        "seed": 5,
    } | fields


@asynccontextmanager
async def client_of(url: str, timeout_s: float = 120) -> AsyncIterator[httpx.AsyncClient]:
    """With any number of connections at once."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=timeout_s, limits=limits) as client:
        yield client


def record_voice(voices: Path, seed: int) -> None:
    soundfile.write(voices / "recorded.wav", spoken_vowels(seed, seconds=6.0), SAMPLE_RATE)


def wait_until_healthy(
    url: str, server: "subprocess.Popen[Any] | None" = None, log: Path | None = None
) -> None:
    """Raises AssertionError at once where the process of the server has ended, with the end of its
    log."""
    with httpx.Client(base_url=url, timeout=30) as client:

        def health() -> bool:
            status = None if server is None else server.poll()
            told = "" if status is None or log is None else log.read_text()[-LOG_CHARS:]
            assert status is None, f"the server ended with status {status}: {told}"
            try:
                return client.get("/health").status_code == httpx.codes.OK
            except httpx.TransportError:  # nothing listens yet
                return False

        eventually_sync(health, READY_WITHIN_S, "the application is healthy", every_s=0.25)


async def until_health_is(client: httpx.AsyncClient, status: int, within_s: float) -> None:
    async def is_so() -> bool:
        return (await client.get("health")).status_code == status

    await eventually(is_so, within_s, f"/health answers {status}", every_s=0.05)


@dataclass(frozen=True)
class _Stages:
    """The stages of a health report; true where every slot is free."""

    stages: dict[str, Any]

    def __bool__(self) -> bool:
        return all(
            stage["live"] == stage["waiting"] == 0 and stage["slots_free"] == stage["slots_total"]
            for stage in self.stages.values()
        )


async def until_idle(client: httpx.AsyncClient, within_s: float = IDLE_WITHIN_S) -> None:
    async def stages() -> _Stages:
        return _Stages((await client.get("health")).json()["stages"])

    await eventually(stages, within_s, "every slot is free again", every_s=0.05)
