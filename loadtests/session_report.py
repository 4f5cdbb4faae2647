"""The server's report of a session, and what it says about the audio that a caller received."""

import time
from dataclasses import replace

import httpx

from loadtests.bench import Bench
from loadtests.records import Outcome, Record

SAME_AUDIO_S = 0.001


def with_report(bench: Bench, record: Record) -> Record:
    """The record with the server's report of the session, checked against the received audio."""
    if record.status != httpx.codes.OK and record.cancelled_s is None:
        return record
    give_up_s = time.monotonic() + bench.settings.report_within_s
    time.sleep(bench.settings.settle_s)
    while True:
        asked_s = time.monotonic()
        try:
            answer = bench.http.get(f"/v1/sessions/{record.session_id}")
        except httpx.TransportError as error:
            return replace(record, detail=f"no report: {type(error).__name__}")
        if answer.status_code != httpx.codes.OK:
            return replace(record, detail=record.detail or f"no report: {answer.status_code}")
        report = answer.json()
        if report["finish"] is not None or asked_s > give_up_s:  # a slow answer is asked for again
            break
        time.sleep(bench.settings.settle_s)
    reported = replace(
        record, finish=report["finish"], marks=report["marks"], legs_ms=report["legs_ms"]
    )
    return checked(reported, report["audio_sent_ms"] / 1000)


def checked(record: Record, sent_audio_s: float) -> Record:
    """Changes the outcome of a received session that ended in error or lacks audio."""
    if record.outcome is not Outcome.HEARD:
        return record
    if record.finish not in ("stop", "length"):
        detail = f"the server reports the finish {record.finish}"
        return replace(record, outcome=Outcome.BROKEN, detail=detail)
    if abs(record.audio_s - sent_audio_s) > SAME_AUDIO_S:
        detail = f"{record.audio_s:.3f} s of {sent_audio_s:.3f} s arrived"
        return replace(record, outcome=Outcome.TRUNCATED, detail=detail)
    return record
