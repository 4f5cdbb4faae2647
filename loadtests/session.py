"""One spoken session of a load test: asked for, listened to, perhaps stopped, and recorded.

Reads sound as it arrives and plays it in thought. Works with threads, and with greenlets where
they stand for threads. Knows nothing about Locust or about what a caller does next.
"""

import io
import threading
import time
import uuid
import wave
from dataclasses import dataclass, replace
from typing import Literal

import httpx

from loadtests.bench import Bench
from loadtests.playback import Player
from loadtests.records import BYTES_PER_S, Kind, Outcome, Record

REFUSALS = {(429, "rate_limit_exceeded"), (503, "overloaded"), (501, "uploads_off")}
SAME_AUDIO_S = 0.001
OBEYED_WITHIN_S = 0.5  # after an acknowledgement: what was on its way has come
REPORT_WITHIN_S = 3.0  # after an end, all parts have told what they know


@dataclass(frozen=True, slots=True)
class Stop:
    via: Literal["call", "hang_up"]
    after_s: float
    since: Literal["sent", "first_audio"] = "sent"  # hanging up always counts from sending


@dataclass(frozen=True, slots=True)
class Order:
    kind: Kind
    user: str
    text: str
    intended_s: float
    stop: Stop | None = None
    voice: str | None = None  # None: the run's


class Take:
    """What is heard of an order; the stopper's thread and the listener's share it."""

    def __init__(self, order: Order, prebuffer_s: float, num_callers: int) -> None:
        self.order = order
        self.session_id = uuid.uuid4().hex
        self.num_callers = num_callers
        self.player = Player(prebuffer_s)
        self.first = threading.Event()  # sound is there, or the session is over
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

    def hear(self, part: bytes) -> None:
        at_s = time.monotonic()
        self.num_bytes += len(part)
        self.last_audio_s = at_s
        if self.first_audio_s is None:
            self.first_audio_s = at_s
            self.first.set()
        if self.acknowledged_s is not None:
            self.bytes_after_ack += len(part)
        if self.order.kind is not Kind.WHOLE:
            self.player.feed(at_s, len(part) / BYTES_PER_S)

    def end(self, outcome: Outcome, detail: str = "") -> None:
        self.outcome, self.detail = outcome, detail

    def over(self) -> None:
        self.done_s = time.monotonic()
        self.done.set()
        self.first.set()

    @property
    def sounds_after_ack_s(self) -> float:
        if self.acknowledged_s is None or self.last_audio_s is None:
            return 0.0
        return self.last_audio_s - self.acknowledged_s

    @property
    def leaves_s(self) -> float | None:
        """After it was sent; None: the caller stays."""
        stop = self.order.stop
        return stop.after_s if stop is not None and stop.via == "hang_up" else None

    def record(self) -> Record:
        stalls_s = self.player.stalls_s
        return Record(
            kind=self.order.kind,
            user=self.order.user,
            session_id=self.session_id,
            num_chars=len(self.order.text),
            num_callers=self.num_callers,
            intended_s=self.order.intended_s,
            sent_s=self.sent_s,
            first_audio_s=self.first_audio_s,
            last_audio_s=self.last_audio_s,
            done_s=self.done_s,
            status=self.status,
            outcome=self.outcome,
            detail=self.detail,
            num_bytes=self.num_bytes,
            audio_s=self.player.audio_s,
            num_stalls=len(stalls_s),
            longest_stall_ms=max(stalls_s, default=0.0) * 1000,
            cancelled_s=self.cancelled_s,
            acknowledged_s=self.acknowledged_s,
            ack_state=self.ack_state,
            bytes_after_ack=self.bytes_after_ack,
        )


def speak(bench: Bench, order: Order) -> tuple[Record, float]:
    """The record, which is in the ledger, too, and when its playback is over."""
    take = Take(order, bench.settings.prebuffer_s, bench.run_log.num_callers)
    stopper = threading.Thread(target=_stop_in_time, args=(bench, take), daemon=True)
    stopper.start()
    try:
        _listen(bench, take)
    finally:
        take.over()
        stopper.join()
    _settle(take)
    record = told(bench, take.record())
    bench.run_log.add(record)
    return record, take.player.over_s(take.done_s)


def _listen(bench: Bench, take: Take) -> None:
    order, leaves_s = take.order, take.leaves_s
    body = bench.body(order.text) | ({} if order.voice is None else {"voice": order.voice})
    if order.kind is Kind.WHOLE:
        body |= {"stream": False, "response_format": "wav"}
    patience = httpx.USE_CLIENT_DEFAULT if leaves_s is None else httpx.Timeout(leaves_s)
    headers = {"X-Request-ID": take.session_id}
    take.sent_s = time.monotonic()
    try:
        with bench.http.stream(
            "POST", "/v1/audio/speech", json=body, headers=headers, timeout=patience
        ) as response:
            take.status = response.status_code
            if response.status_code != httpx.codes.OK:
                response.read()
                take.end(*_ended_without_sound(response, take))
                return
            _hear(response, take)
    except httpx.TimeoutException as fault:
        late = Outcome.UNANSWERED if leaves_s is None else Outcome.LEFT
        take.end(late, type(fault).__name__)
    except httpx.ConnectError as fault:
        take.end(Outcome.UNANSWERED, str(fault))
    except httpx.TransportError as fault:
        take.end(Outcome.BROKEN, f"{type(fault).__name__}: {fault}")


def _hear(response: httpx.Response, take: Take) -> None:
    """The body of a 200, until it ends or the caller leaves."""
    leaves_s, kept = take.leaves_s, bytearray()
    for part in response.iter_raw():
        take.hear(part)
        if take.order.kind is Kind.WHOLE:
            kept += part
        if leaves_s is not None and time.monotonic() - take.sent_s >= leaves_s:
            take.end(Outcome.LEFT)
            return
    if take.num_bytes == 0:
        take.end(Outcome.BROKEN, "200 without a sound")
    elif take.order.kind is Kind.WHOLE:
        take.player.audio_s = _seconds_of(bytes(kept), take)


def _settle(take: Take) -> None:
    """What a cancel made of it, once its answer is there."""
    if take.cancelled_s is None:
        return
    if take.acknowledged_s is None:
        take.end(Outcome.UNACKNOWLEDGED, take.detail)
    elif take.sounds_after_ack_s > OBEYED_WITHIN_S and take.ack_state == "stopped":
        take.end(Outcome.UNSTOPPED, f"sound came {take.sounds_after_ack_s:.1f} s later")
    elif take.outcome is Outcome.HEARD and take.ack_state != "already_done":
        take.end(Outcome.CUT if take.is_cut else Outcome.CANCELLED)


def _seconds_of(content: bytes, take: Take) -> float:
    try:
        with wave.open(io.BytesIO(content)) as wav:
            frames = wav.readframes(wav.getnframes())
            if len(frames) != wav.getnframes() * wav.getsampwidth():
                take.end(Outcome.TRUNCATED, "the file is shorter than its header says")
            return len(frames) / BYTES_PER_S
    except (wave.Error, EOFError) as fault:
        take.end(Outcome.BROKEN, f"no WAV file: {fault}")
        return 0.0


def _ended_without_sound(response: httpx.Response, take: Take) -> tuple[Outcome, str]:
    if response.status_code == httpx.codes.NO_CONTENT:
        if take.cancelled_s is None:
            return Outcome.FAILED, "204, and nobody had cancelled it"
        return (Outcome.CUT if take.is_cut else Outcome.CANCELLED), ""
    code = error_code(response)
    is_refusal = (response.status_code, code) in REFUSALS
    return (Outcome.REFUSED if is_refusal else Outcome.FAILED), code or response.text[:200]


def error_code(response: httpx.Response) -> str:
    """The server's name of what is wrong; empty where the answer has none."""
    try:
        return str(response.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _stop_in_time(bench: Bench, take: Take) -> None:
    """Cancels by a call where the order says so, or where the run is over before the session."""
    stop = take.order.stop
    if stop is not None and stop.via == "call":
        if stop.since == "first_audio":
            take.first.wait(bench.left_s())
        if not take.done.wait(min(stop.after_s, bench.left_s())):
            _cancel(bench, take)
            return
    if not take.done.wait(bench.left_s()):
        _cancel(bench, take)


def _cancel(bench: Bench, take: Take) -> None:
    take.is_cut = bench.left_s() == 0
    take.cancelled_s = time.monotonic()
    try:
        answer = bench.http.post(f"/cancel/{take.session_id}", timeout=bench.settings.ack_within_s)
        take.ack_state = str(answer.json()["state"])
        take.acknowledged_s = time.monotonic()
    except (httpx.TransportError, ValueError, KeyError) as fault:
        take.detail = f"cancel: {type(fault).__name__}"


def told(bench: Bench, record: Record) -> Record:
    """With what the server remembers of it, which must go with what has come."""
    if record.status != httpx.codes.OK and record.cancelled_s is None:
        return record
    give_up_s = time.monotonic() + REPORT_WITHIN_S
    time.sleep(bench.settings.settle_s)
    while True:
        try:
            answer = bench.http.get(f"/v1/sessions/{record.session_id}")
        except httpx.TransportError as fault:
            return replace(record, detail=f"no report: {type(fault).__name__}")
        if answer.status_code != httpx.codes.OK:
            return replace(record, detail=record.detail or f"no report: {answer.status_code}")
        report = answer.json()
        if report["finish"] is not None or time.monotonic() > give_up_s:
            break
        time.sleep(bench.settings.settle_s)
    known = replace(
        record, finish=report["finish"], marks=report["marks"], legs_ms=report["legs_ms"]
    )
    return checked(known, report["audio_sent_ms"] / 1000)


def checked(record: Record, sent_audio_s: float) -> Record:
    """Of a session that looks heard: has all come that was sent, and did it end well?"""
    if record.outcome is not Outcome.HEARD:
        return record
    if record.finish not in ("stop", "length"):
        detail = f"the server says that it ended with {record.finish}"
        return replace(record, outcome=Outcome.BROKEN, detail=detail)
    if abs(record.audio_s - sent_audio_s) > SAME_AUDIO_S:
        detail = f"{record.audio_s:.3f} s of {sent_audio_s:.3f} s have come"
        return replace(record, outcome=Outcome.TRUNCATED, detail=detail)
    return record
