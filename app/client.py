"""A small client of the server: what the command line, the demo and the benchmarks speak with.

Synchronous, over httpx. Knows HTTP and this interface's shapes; nothing about how speech is made.
"""

import time
import uuid
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from app.core import SAMPLE_RATE
from app.errors import ServeError

BYTES_PER_S = SAMPLE_RATE * 2  # s16le mono


class ServerAway(ServeError):
    code = "server_away"


class Refused(ServeError):
    """The server answered with an error; its message, field and code."""


@dataclass(slots=True)
class Heard:
    """What has arrived of one speech. Seconds since the request was sent."""

    session_id: str
    sent_at: float = field(default_factory=time.perf_counter)
    first_audio_s: float | None = None
    wall_s: float = 0.0
    num_bytes: int = 0

    def add(self, pcm: bytes) -> None:
        self.wall_s = time.perf_counter() - self.sent_at
        if self.first_audio_s is None:
            self.first_audio_s = self.wall_s
        self.num_bytes += len(pcm)

    @property
    def audio_s(self) -> float:
        return self.num_bytes / BYTES_PER_S

    @property
    def real_time_factor(self) -> float:
        """Wall seconds per second of audio; below 1 is faster than playback."""
        return self.wall_s / self.audio_s if self.num_bytes else 0.0


class SpeechClient:
    """Raises ServerAway where nobody answers, Refused where the server says no."""

    def __init__(self, url: str, timeout_s: float = 120.0) -> None:
        self._url = url
        self._http = httpx.Client(base_url=url, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def speak(self, text: str, heard: Heard | None = None, **fields: object) -> Iterator[bytes]:
        """PCM (s16le, mono, 24 kHz) as it arrives, in whole samples. `fields` are the request's;
        model and voice default to the server's first. Leaving the iterator cancels."""
        heard = heard or Heard(new_session_id())
        body: dict[str, object] = {"input": text, "response_format": "pcm"} | fields
        body.setdefault("model", self.models()[0]["id"])
        body.setdefault("voice", self.voices()[0]["id"])
        headers = {"X-Request-ID": heard.session_id}
        heard.sent_at = time.perf_counter()
        odd = b""
        with (
            self._answered(),
            self._http.stream("POST", "/v1/audio/speech", json=body, headers=headers) as response,
        ):
            if response.is_error:
                response.read()
            _check(response)
            for part in response.iter_raw():
                pcm = odd + part
                odd = pcm[len(pcm) // 2 * 2 :]
                if whole := pcm[: len(pcm) // 2 * 2]:
                    heard.add(whole)
                    yield whole

    def cancel(self, session_id: str) -> dict[str, Any]:
        with self._answered():
            response = self._http.post(f"/cancel/{session_id}")
            _check(response)
            ack: dict[str, Any] = response.json()
            return ack

    def models(self) -> list[dict[str, Any]]:
        return self._get("/v1/models", "data")

    def voices(self) -> list[dict[str, Any]]:
        return self._get("/v1/audio/voices", "voices")

    def _get(self, path: str, key: str) -> list[dict[str, Any]]:
        with self._answered():
            response = self._http.get(path)
            _check(response)
            entries: list[dict[str, Any]] = response.json()[key]
            return entries

    @contextmanager
    def _answered(self) -> Iterator[None]:
        try:
            yield
        except httpx.RemoteProtocolError as fault:
            raise ServerAway("the server broke the speech off", code="broken") from fault
        except httpx.HTTPError as fault:
            raise ServerAway(f"no answer from {self._url}: {fault}") from fault


def new_session_id() -> str:
    return uuid.uuid4().hex


def save_wav(path: Path, pcm: bytes) -> None:
    """A well-formed WAV with its true length; the old file or the whole new one."""
    partial = path.with_name(f".{path.name}.partial")
    with wave.open(str(partial), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm)
    partial.replace(path)


def _check(response: httpx.Response) -> None:
    if not response.is_error:
        return
    try:
        error = response.json()["error"]
        raise Refused(error["message"], param=error["param"], code=error["code"])
    except (ValueError, KeyError, TypeError):
        raise Refused(f"{response.status_code} {response.reason_phrase}") from None
