"""The state that all callers of a run share: the server, the run log, the settings, the end time.

Load goes to loopback addresses only, unless `allow_remote` is given: a load test of another
person's server is an attack.
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
from loadtests.spoken_sockets import Via

A_DAY_S = 86_400.0


class RefusedHost(Exception):
    """The server is not on this machine."""


class UnusableServer(Exception):
    """The server does not answer, or has no model or voice."""


@dataclass(frozen=True, slots=True)
class Settings:
    seed: int = 1
    think_s: float = 1.0  # mean pause between the end of an answer and the next request
    prebuffer_s: float = 0.0  # of each player; a player waits longer if the server says so
    start: str | None = None  # of each stream: smooth or soonest; None: the server's default
    timeout_s: float = 60.0  # a request without a byte for so long is unanswered
    ack_within_s: float = 5.0  # a later acknowledgement of a cancel is a fault
    enrol_within_s: float = 180.0  # to make a voice; the first one waits for a process to start
    report_within_s: float = 3.0  # after its end, the server's report of a session is complete
    settle_s: float = 0.3  # from the end of a session to the request for its report
    voice: str | None = None  # None: the server's first voice
    via: Via = "http"  # of speech that is played as it comes


def check_host(url: str, allow_remote: bool) -> None:
    """Raises RefusedHost."""
    host = urlsplit(url).hostname or ""
    try:
        is_near = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name may lead to another machine
        is_near = False
    if not is_near and not allow_remote:
        raise RefusedHost(f"{url} is not this machine; --allow-remote allows it")


class Bench:
    """No request begins after `over_s`; sessions that still run at `cut_s` are cancelled."""

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
        except (httpx.HTTPError, KeyError, IndexError, ValueError) as error:
            raise UnusableServer(f"{url}: {error or type(error).__name__}") from error

    def _first(self, path: str, name: str) -> object:
        return self.http.get(path).raise_for_status().json()[name][0]["id"]

    def claimed_capacity(self) -> int | None:
        """The number of smooth streams that the server bears by its own account; None: it has not
        measured that. Raises UnusableServer for any other account."""
        try:
            claimed = self.http.get("/health").json()["capacity"]
            if claimed is not None and type(claimed) is not int:
                raise ValueError(f"the capacity {claimed!r} is neither an integer nor null")
        except (httpx.HTTPError, KeyError, ValueError) as error:
            raise UnusableServer(f"{self.url}/health: {error or type(error).__name__}") from error
        return claimed

    def warm_up(self) -> None:
        """Sends one request that does not count. An error will appear again in a later request."""
        with contextlib.suppress(httpx.HTTPError):
            self.http.post("/v1/audio/speech", json=self.body("Hello there.") | {"stream": False})

    def left_s(self) -> float:
        """Seconds until sessions are cancelled; finite, because waits do not accept infinity."""
        return max(0.0, min(self.cut_s - time.monotonic(), A_DAY_S))

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.over_s

    def number(self, role: str) -> int:
        """The number of the next caller of a role. The seed and the number determine its draws."""
        self._num_callers[role] += 1
        return self._num_callers[role]

    @contextlib.contextmanager
    def lasting(self, seconds: float, grace_s: float) -> Iterator[None]:
        """A run that is over after `seconds`. Running sessions may end within the grace."""
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
        """Records a request without audio that ends now."""
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

    @property
    def stream_fields(self) -> dict[str, object]:
        """Of a request that is played as it comes."""
        return {} if self.settings.start is None else {"start": self.settings.start}

    def body(self, text: str) -> dict[str, object]:
        return {
            "model": self.model,
            "voice": self.voice,
            "input": text,
            "response_format": "pcm",
        }
