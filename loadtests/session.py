"""One speech session of a load test: sends the request, receives the audio, perhaps stops the
session, and records it.

A simulated player plays the audio while it arrives. Runs in threads, or in greenlets that replace
threads. Knows nothing about Locust or about the caller's next action.
"""

import io
import threading
import time
import uuid
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import httpx

from loadtests.bench import Bench
from loadtests.playback import Player, told_prebuffer_s
from loadtests.records import BYTES_PER_S, Kind, Outcome, Record, ms
from loadtests.session_report import with_report

REFUSALS = {
    *((429, f"too_many_{what}") for what in ("requests", "open_requests", "bodies", "body_bytes")),
    (429, "rate_limit_exceeded"),
    (503, "overloaded"),
    (503, "server_full"),
    (501, "uploads_off"),
}
OBEYED_WITHIN_S = 0.5  # after an acknowledgement; until then, audio may be on its way


@dataclass(frozen=True, slots=True)
class Stop:
    via: Literal["call", "hang_up"]
    after_s: float
    since: Literal["sent", "first_audio"] = "sent"  # of a call; hang_up counts from the sending


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    kind: Kind
    user: str
    text: str
    intended_s: float
    stop: Stop | None = None
    voice: str | None = None  # None: the voice of the run
    fields: Mapping[str, object] = field(default_factory=dict)  # more of the body
    keep: Callable[[bytes], object] | None = None  # gets every part of the answer


class Exchange:
    """A request and its answer. The thread that receives and the thread that stops share it."""

    def __init__(self, request: PlannedRequest, prebuffer_s: float, num_callers: int) -> None:
        self.request = request
        self.session_id = uuid.uuid4().hex
        self.num_callers = num_callers
        self.player = Player(prebuffer_s)
        self.first = threading.Event()  # set at the first audio, and at the end
        self.done = threading.Event()
        self.sent_s = self.done_s = time.monotonic()
        self.first_audio_s: float | None = None
        self.last_audio_s: float | None = None
        self.cancelled_s: float | None = None
        self.acknowledged_s: float | None = None
        self.ack_state: str | None = None
        self.is_cut = False
        self.status: int | None = None
        self.outcome = Outcome.HEARD
        self.detail = ""
        self.num_bytes = self.bytes_after_ack = 0

    def receive(self, part: bytes) -> None:
        at_s = time.monotonic()
        self.num_bytes += len(part)
        self.last_audio_s = at_s
        if self.request.keep is not None:
            self.request.keep(part)
        if self.first_audio_s is None:
            self.first_audio_s = at_s
            self.first.set()
        if self.acknowledged_s is not None:
            self.bytes_after_ack += len(part)
        if self.request.kind is not Kind.WHOLE:
            self.player.feed(at_s, len(part) / BYTES_PER_S)

    def end(self, outcome: Outcome, detail: str = "") -> None:
        self.outcome, self.detail = outcome, detail

    def finish(self) -> None:
        self.done_s = time.monotonic()
        self.done.set()
        self.first.set()

    @property
    def audio_after_ack_s(self) -> float:
        if self.acknowledged_s is None or self.last_audio_s is None:
            return 0.0
        return self.last_audio_s - self.acknowledged_s

    @property
    def leaves_s(self) -> float | None:
        """When the caller closes the connection, after the sending; None: never."""
        stop = self.request.stop
        return stop.after_s if stop is not None and stop.via == "hang_up" else None

    def record(self) -> Record:
        player, is_played = self.player, self.player.first_s is not None
        return Record(
            kind=self.request.kind,
            user=self.request.user,
            session_id=self.session_id,
            num_chars=len(self.request.text),
            num_callers=self.num_callers,
            intended_s=self.request.intended_s,
            sent_s=self.sent_s,
            first_audio_s=self.first_audio_s,
            last_audio_s=self.last_audio_s,
            done_s=self.done_s,
            status=self.status,
            outcome=self.outcome,
            detail=self.detail,
            num_bytes=self.num_bytes,
            audio_s=player.audio_s,
            num_stalls=len(player.stalls_s),
            longest_stall_ms=max(player.stalls_s, default=0.0) * 1000,
            needed_prebuffer_ms=ms(player.needed_prebuffer_s) if is_played else None,
            told_prebuffer_ms=ms(player.told_prebuffer_s),
            cancelled_s=self.cancelled_s,
            acknowledged_s=self.acknowledged_s,
            ack_state=self.ack_state,
            bytes_after_ack=self.bytes_after_ack,
        )


def speak(bench: Bench, request: PlannedRequest) -> tuple[Record, float]:
    """Returns the record, which is also added to the run log, and the end of the playback."""
    exchange = Exchange(request, bench.settings.prebuffer_s, bench.run_log.num_callers)
    hold(bench, exchange, _listen, _cancel)
    return finish(bench, exchange)


def hold(
    bench: Bench,
    exchange: Exchange,
    listen: Callable[[Bench, Exchange], None],
    cancel: Callable[[Bench, Exchange], None],
) -> None:
    """Listens to the end of the session, and cancels it as planned, or when the run ends."""
    args = (bench, exchange, cancel)
    stopper = threading.Thread(target=_stop_in_time, args=args, daemon=True)
    stopper.start()
    try:
        listen(bench, exchange)
    finally:
        exchange.finish()
        stopper.join()


def finish(bench: Bench, exchange: Exchange) -> tuple[Record, float]:
    """As `speak`, of a session that is over."""
    _settle(exchange)
    if exchange.outcome is not Outcome.HEARD:
        exchange.player.give_up(exchange.cancelled_s or exchange.done_s)
    record = with_report(bench, exchange.record())
    bench.run_log.add(record)
    return record, exchange.player.over_s(exchange.done_s)


def _listen(bench: Bench, exchange: Exchange) -> None:
    request, leaves_s = exchange.request, exchange.leaves_s
    body = bench.body(request.text) | dict(request.fields)
    if request.voice is not None:
        body |= {"voice": request.voice}
    if request.kind is Kind.WHOLE:
        body |= {"stream": False, "response_format": "wav"}
    else:
        body |= bench.stream_fields
    timeout = httpx.USE_CLIENT_DEFAULT if leaves_s is None else httpx.Timeout(leaves_s)
    headers = {"X-Request-ID": exchange.session_id}
    exchange.sent_s = time.monotonic()
    try:
        with bench.http.stream(
            "POST", "/v1/audio/speech", json=body, headers=headers, timeout=timeout
        ) as response:
            exchange.status = response.status_code
            exchange.player.tell(told_prebuffer_s(response.headers))
            if response.status_code != httpx.codes.OK:
                response.read()
                exchange.end(*_end_without_audio(response, exchange))
                return
            _receive(response, exchange)
    except httpx.TimeoutException as error:
        late = Outcome.UNANSWERED if leaves_s is None else Outcome.LEFT
        exchange.end(late, type(error).__name__)
    except httpx.ConnectError as error:
        exchange.end(Outcome.UNANSWERED, f"{type(error).__name__}: {error}")
    except httpx.TransportError as error:
        exchange.end(Outcome.BROKEN, f"{type(error).__name__}: {error}")


def _receive(response: httpx.Response, exchange: Exchange) -> None:
    """Receives the body of a 200 until it ends or the caller leaves."""
    leaves_s, kept = exchange.leaves_s, bytearray()
    for part in response.iter_raw():
        exchange.receive(part)
        if exchange.request.kind is Kind.WHOLE:
            kept += part
        if leaves_s is not None and time.monotonic() - exchange.sent_s >= leaves_s:
            exchange.end(Outcome.LEFT)
            return
    if exchange.num_bytes == 0:
        exchange.end(Outcome.BROKEN, "200 without audio")
    elif exchange.request.kind is Kind.WHOLE:
        exchange.player.audio_s = _seconds_of(bytes(kept), exchange)


def _settle(exchange: Exchange) -> None:
    """Sets the outcome of a cancelled session after the answer to the cancel."""
    if exchange.cancelled_s is None:
        return
    if exchange.acknowledged_s is None:
        exchange.end(Outcome.UNACKNOWLEDGED, exchange.detail)
    elif exchange.audio_after_ack_s > OBEYED_WITHIN_S and exchange.ack_state == "stopped":
        exchange.end(Outcome.UNSTOPPED, f"audio came {exchange.audio_after_ack_s:.1f} s later")
    elif exchange.outcome is Outcome.HEARD and exchange.ack_state != "already_done":
        exchange.end(Outcome.CUT if exchange.is_cut else Outcome.CANCELLED)


def _seconds_of(content: bytes, exchange: Exchange) -> float:
    try:
        with wave.open(io.BytesIO(content)) as wav:
            frames = wav.readframes(wav.getnframes())
            if len(frames) != wav.getnframes() * wav.getsampwidth():
                exchange.end(Outcome.TRUNCATED, "the file is shorter than its header says")
            return len(frames) / BYTES_PER_S
    except (wave.Error, EOFError) as error:
        exchange.end(Outcome.BROKEN, f"not a WAV file: {error}")
        return 0.0


def _end_without_audio(response: httpx.Response, exchange: Exchange) -> tuple[Outcome, str]:
    if response.status_code == httpx.codes.NO_CONTENT:
        if exchange.cancelled_s is None:
            return Outcome.FAILED, "204 without a cancel"
        return (Outcome.CUT if exchange.is_cut else Outcome.CANCELLED), ""
    code = error_code(response)
    is_refusal = (response.status_code, code) in REFUSALS
    return (Outcome.REFUSED if is_refusal else Outcome.FAILED), code or response.text[:200]


def error_code(response: httpx.Response) -> str:
    """The code of the server's error; empty if the answer has none."""
    try:
        return str(response.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _stop_in_time(
    bench: Bench, exchange: Exchange, cancel: Callable[[Bench, Exchange], None]
) -> None:
    """Sends the planned cancel, or a cancel when the run ends before the session."""
    stop = exchange.request.stop
    if stop is not None and stop.via == "call":
        if stop.since == "first_audio":
            exchange.first.wait(bench.left_s())
        if not exchange.done.wait(min(stop.after_s, bench.left_s())):
            _stop(bench, exchange, cancel)
            return
    if not exchange.done.wait(bench.left_s()):
        _stop(bench, exchange, cancel)


def _stop(bench: Bench, exchange: Exchange, cancel: Callable[[Bench, Exchange], None]) -> None:
    exchange.is_cut = bench.left_s() == 0
    exchange.cancelled_s = time.monotonic()
    cancel(bench, exchange)


def _cancel(bench: Bench, exchange: Exchange) -> None:
    try:
        answer = bench.http.post(
            f"/cancel/{exchange.session_id}", timeout=bench.settings.ack_within_s
        )
        exchange.ack_state = str(answer.json()["state"])
        exchange.acknowledged_s = time.monotonic()
    except (httpx.TransportError, ValueError, KeyError) as error:
        exchange.detail = f"cancel: {type(error).__name__}"
