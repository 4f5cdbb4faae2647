"""The server's own client: what the command line and the demo speak through.

Synchronous, one session per `speak`; a second call (a cancel) may be made while one streams.
Knows HTTP, not files or terminals.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx

from app.config import client_key
from app.core import SAMPLE_RATE, CancelAck, CancelState

DEFAULT_URL = "http://127.0.0.1:8000"
BYTES_PER_S = SAMPLE_RATE * 2


class RequestFailed(Exception):
    """The message is for the person at the terminal. `status` is None where no answer came."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Speech:
    """A session that has begun. `pcm` yields whole 16 bit samples as they arrive; none if it was
    cancelled before its first sound."""

    session_id: str
    pcm: Iterator[bytes]
    sent_s: float  # time.monotonic: the request was about to be sent
    answered_s: float  # its answer began


@dataclass(frozen=True, slots=True)
class Timeline:
    """What a server remembers of a session: marks by its machine's clock in seconds, and the legs
    between them in milliseconds."""

    finish: str | None
    marks: dict[str, float]
    legs_ms: dict[str, float]


def key_headers() -> dict[str, str]:
    """With the API key of the environment, if there is one."""
    key = client_key()
    return {} if key is None else {"Authorization": f"Bearer {key}"}


class SpeechClient:
    def __init__(self, url: str = DEFAULT_URL, timeout_s: float = 600.0) -> None:
        self._url = url.rstrip("/")
        timeout = httpx.Timeout(timeout_s, connect=5.0)
        self._http = httpx.Client(timeout=timeout, headers=key_headers())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def models(self) -> list[str]:
        return [model["id"] for model in self._call("GET", "/v1/models").json()["data"]]

    def voices(self) -> list[str]:
        return [voice["id"] for voice in self._call("GET", "/v1/audio/voices").json()["voices"]]

    def cancel(self, session_id: str) -> CancelAck:
        """An unknown session is an answer, not a failure."""
        with self._failures():
            response = self._http.post(f"{self._url}/cancel/{quote(session_id, safe='')}")
            body = response.json() if response.status_code in (200, 202, 404) else {}
            if "state" not in body:
                raise _failure(response)
        body.pop("error", None)
        return CancelAck(**{**body, "state": CancelState(body["state"])})

    def timeline(self, session_id: str) -> Timeline:
        path = f"/v1/sessions/{quote(session_id, safe='')}"
        body = self._call("GET", path).json()
        return Timeline(body["finish"], body["marks"], body["legs_ms"])

    @contextmanager
    def speak(
        self,
        text: str,
        *,
        model: str,
        voice: str,
        seed: int | None = None,
        language: str | None = None,
        session_id: str | None = None,
    ) -> Iterator[Speech]:
        """Leaving the block before the end of `pcm` cancels the session."""
        body = {"input": text, "model": model, "voice": voice, "seed": seed, "language": language}
        headers = {"X-Request-ID": session_id or uuid.uuid4().hex}
        sent_s = time.monotonic()
        with (
            self._failures(),
            self._http.stream(
                "POST",
                f"{self._url}/v1/audio/speech",
                json={**body, "response_format": "pcm"},
                headers=headers,
            ) as response,
        ):
            if not response.is_success:
                response.read()
                raise _failure(response)
            pcm = _whole_samples(response.iter_bytes())
            yield Speech(headers["X-Request-ID"], pcm, sent_s, time.monotonic())

    def _call(self, method: str, path: str) -> httpx.Response:
        with self._failures():
            response = self._http.request(method, self._url + path)
        if not response.is_success:
            raise _failure(response)
        return response

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as fault:
            message = f"no server answers at {self._url} ({fault}); `make serve` starts one"
            raise RequestFailed(message) from fault
        except httpx.RemoteProtocolError as fault:
            raise RequestFailed("the server broke off; its log says why") from fault
        except (httpx.TransportError, httpx.InvalidURL) as fault:
            raise RequestFailed(f"{self._url}: {fault or type(fault).__name__}") from fault


def _failure(response: httpx.Response) -> RequestFailed:
    try:
        message = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):  # not this server's shape: a proxy's page perhaps
        message = response.reason_phrase
    return RequestFailed(f"{response.status_code}: {message}", response.status_code)


def _whole_samples(parts: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for part in parts:
        joined = rest + part
        even = len(joined) & ~1
        rest = joined[even:]
        if even:
            yield joined[:even]
