"""What all callers of a run share: the server, the ledger, the settings, and when it is over.

Loopback only, unless it is said otherwise: a load test against somebody else's server is an attack.
"""

import contextlib
import ipaddress
import math
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from app.client.speech_client import key_headers
from loadtests.records import Kind, Outcome, Record
from loadtests.run_log import RunLog

A_DAY_S = 86_400.0


class RefusedHost(Exception):
    """The server is not on this machine."""


class UnusableServer(Exception):
    """It does not answer, or serves nothing to speak with."""


@dataclass(frozen=True, slots=True)
class Settings:
    seed: int = 1
    think_s: float = 1.0  # on average, between the end of an answer and the next question
    prebuffer_s: float = 0.0  # of a player
    timeout_s: float = 60.0  # without a byte, an answer is not waited for any longer
    ack_within_s: float = 5.0  # a cancel is acknowledged, or that is a fault
    enrol_within_s: float = 180.0  # a voice is made; the first waits for a process to start
    settle_s: float = 0.3  # after an end, before the server is asked what it remembers
    voice: str | None = None  # None: the first


def check_host(url: str, allow_remote: bool) -> None:
    """Raises RefusedHost."""
    host = urlsplit(url).hostname or ""
    try:
        is_near = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: where it leads is not known
        is_near = False
    if not is_near and not allow_remote:
        raise RefusedHost(f"{url} is not this machine; --allow-remote lets load go there")


class Bench:
    """After `over_s` of the clock nothing new is asked for; what lives at `cut_s` is cancelled."""

    def __init__(self, url: str, settings: Settings, run_log: RunLog) -> None:
        """Raises UnusableServer."""
        self.url = url.rstrip("/")
        self.settings = settings
        self.run_log = run_log
        self.over_s = self.cut_s = math.inf
        self._num_callers: Counter[str] = Counter()
        self.http = httpx.Client(
            base_url=self.url,
            headers=key_headers(),
            timeout=httpx.Timeout(settings.timeout_s, connect=5.0),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )
        try:
            self.model = str(self._first("/v1/models", "data"))
            self.voice = settings.voice or str(self._first("/v1/audio/voices", "voices"))
        except (httpx.HTTPError, KeyError, IndexError, ValueError) as fault:
            raise UnusableServer(f"{url}: {fault or type(fault).__name__}") from fault

    def _first(self, path: str, name: str) -> object:
        return self.http.get(path).raise_for_status().json()[name][0]["id"]

    def warm_up(self) -> None:
        """One answer that is not counted. What fails here will fail again where it counts."""
        with contextlib.suppress(httpx.HTTPError):
            self.http.post("/v1/audio/speech", json=self.body("Hello there.") | {"stream": False})

    def left_s(self) -> float:
        """Until sessions are cut; for waits, which take no infinity."""
        return max(0.0, min(self.cut_s - time.monotonic(), A_DAY_S))

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.over_s

    def number(self, role: str) -> int:
        """Of the next caller of that role; what it draws follows from the seed and this."""
        self._num_callers[role] += 1
        return self._num_callers[role]

    @contextlib.contextmanager
    def lasting(self, seconds: float, grace_s: float) -> Iterator[None]:
        """The run is over so many seconds from now; sessions may end within the grace."""
        self.over_s = time.monotonic() + seconds
        self.cut_s = self.over_s + grace_s
        try:
            yield
        finally:
            self.over_s = self.cut_s = math.inf

    def note_silent(
        self,
        *,
        kind: Kind,
        user: str,
        intended_s: float,
        sent_s: float,
        status: int | None,
        outcome: Outcome,
        detail: str,
    ) -> Record:
        """Of a request that has ended now and asks for no sound."""
        record = Record(
            kind=kind,
            user=user,
            session_id=uuid.uuid4().hex,
            num_chars=0,
            num_callers=self.run_log.num_callers,
            intended_s=intended_s,
            sent_s=sent_s,
            first_audio_s=None,
            last_audio_s=None,
            done_s=time.monotonic(),
            status=status,
            outcome=outcome,
            detail=detail,
        )
        self.run_log.add(record)
        return record

    def body(self, text: str) -> dict[str, object]:
        return {
            "model": self.model,
            "voice": self.voice,
            "input": text,
            "response_format": "pcm",
        }
