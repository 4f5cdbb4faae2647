"""The HTTP client of the command line and the demo.

Synchronous. Each `speak` is one session. Other calls, for example a cancel, may be made while a
session streams. Knows nothing about files or terminals.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx

from app.client.speech_plan import Plan, plan_of
from app.config import client_key
from app.core import SAMPLE_RATE, CancelAck, CancelState
from app.spoken_words import Heard

DEFAULT_URL = "http://127.0.0.1:8000"
BYTES_PER_S = SAMPLE_RATE * 2
SERVER_LEG = "connection and proxy"  # the client's leg that the server's own first_audio is part of


class RequestFailed(Exception):
    """The message is written for a person at a terminal. `status` is None if no answer came."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Speech:
    """A session that has begun. `pcm` yields whole 16-bit samples as they arrive. A session that
    was cancelled before its first audio yields nothing."""

    session_id: str
    pcm: Iterator[bytes]
    sent_s: float  # time.monotonic, before the connection is made or taken
    # The legs before `pcm` is read, one after another.
    legs_s: dict[str, float] = field(default_factory=dict)
    rest: str = "answer to sample"  # the name of the leg from there to the first sample
    whole_id: str | None = None  # of all its sound, where that is several sessions


@dataclass(frozen=True, slots=True)
class Timeline:
    """The server's record of a session. `marks` are seconds on the clock of the server's machine,
    `legs_ms` the times between two marks."""

    finish: str | None
    marks: dict[str, float]
    legs_ms: dict[str, float]


def unreachable(url: str, error: Exception) -> RequestFailed:
    return RequestFailed(f"no server answers at {url} ({error}); `make serve` starts one")


def key_headers() -> dict[str, str]:
    """The Authorization header, if the environment has an API key."""
    key = client_key()
    return {} if key is None else {"Authorization": f"Bearer {key}"}


class SpeechClient:
    def __init__(self, url: str = DEFAULT_URL, timeout_s: float = 600.0) -> None:
        self.url = url.rstrip("/")
        timeout = httpx.Timeout(timeout_s, connect=5.0)
        self._http = httpx.Client(timeout=timeout, headers=key_headers())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def models(self) -> list[str]:
        return [model["id"] for model in self._call("GET", "/v1/models").json()["data"]]

    def voices(self) -> list[str]:
        return [voice["id"] for voice in self._call("GET", "/v1/audio/voices").json()["voices"]]

    def plan(
        self,
        text: str,
        *,
        voice: str | None = None,
        language: str | None = None,
        strip_markdown: bool = False,
    ) -> Plan:
        """What the model would get of the text. Nothing is spoken."""
        fields = {"voice": voice, "language": language, "strip_markdown": strip_markdown}
        return plan_of(
            self._call("POST", "/v1/audio/speech/plan", {"input": text, **fields}).json()
        )

    def pronunciations(self, voice: str | None = None) -> list[tuple[str, str]]:
        """Each term that the caller's tenant keeps for every voice, or for one, and what is said
        instead."""
        query = "" if voice is None else f"?voice={quote(voice, safe='')}"
        body = self._call("GET", f"/v1/audio/pronunciations{query}").json()
        return [(entry["term"], entry["say"]) for entry in body["pronunciations"]]

    def cancel(self, session_id: str, played_ms: float | None = None) -> CancelAck:
        """An unknown session is a normal answer: its state is UNKNOWN. `played_ms`: how much of the
        sound was played; None: all that was sent."""
        path = f"/cancel/{quote(session_id, safe='')}"
        with self._failures():
            played = None if played_ms is None else {"played_ms": played_ms}
            response = self._http.post(self.url + path, json=played)
            body = response.json() if response.status_code in (200, 202, 404) else {}
            if "state" not in body:
                raise _failure(response)
        body.pop("error", None)
        told = body.get("heard")
        heard = None if told is None else Heard(**told)
        return CancelAck(**{**body, "state": CancelState(body["state"]), "heard": heard})

    def captions(self, session_id: str, kind: str) -> str:
        """`kind`: vtt or srt. Of a session that has ended."""
        path = f"/v1/sessions/{quote(session_id, safe='')}/captions.{kind}"
        return self._call("GET", path).text

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
        """Leaving the block before `pcm` ends cancels the session."""
        body = {"input": text, "model": model, "voice": voice, "seed": seed, "language": language}
        headers = {"X-Request-ID": session_id or uuid.uuid4().hex}
        sent_s = time.monotonic()
        with (
            self._failures(),
            self._http.stream(
                "POST",
                f"{self.url}/v1/audio/speech",
                json={**body, "response_format": "pcm"},
                headers=headers,
            ) as response,
        ):
            if not response.is_success:
                response.read()
                raise _failure(response)
            pcm = _whole_samples(response.iter_bytes())
            legs_s = {SERVER_LEG: time.monotonic() - sent_s}
            yield Speech(headers["X-Request-ID"], pcm, sent_s, legs_s)

    def _call(
        self, method: str, path: str, body: dict[str, object] | None = None
    ) -> httpx.Response:
        with self._failures():
            response = self._http.request(method, self.url + path, json=body)
        if not response.is_success:
            raise _failure(response)
        return response

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectError as error:
            raise unreachable(self.url, error) from error
        except httpx.RemoteProtocolError as error:
            message = "the server broke off the answer; its log says why"
            raise RequestFailed(message) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise RequestFailed(f"{self.url}: {error or type(error).__name__}") from error


def _failure(response: httpx.Response) -> RequestFailed:
    try:
        message = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):  # not this server's error, for example a proxy's page
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
