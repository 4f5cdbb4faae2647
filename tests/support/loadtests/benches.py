"""A bench on a fake server, and one session on it, for tests without Locust."""

import contextlib
import time
from dataclasses import replace

from loadtests.bench import Bench, Settings
from loadtests.records import Kind, Outcome, Record
from loadtests.run_log import RunLog
from loadtests.session import PlannedRequest, speak
from tests.support.loadtests.fake_server import fake_server

QUICK = Settings(timeout_s=20.0, ack_within_s=20.0, settle_s=0.01, report_within_s=0.2, think_s=0.0)
IMPATIENT = replace(QUICK, timeout_s=1.0, ack_within_s=0.5)
GOOD = Record(
    kind=Kind.TURN,
    user="conversation 1",
    session_id="a",
    num_chars=20,
    num_callers=2,
    intended_s=10.0,
    sent_s=10.001,
    first_audio_s=10.2,
    last_audio_s=11.0,
    done_s=11.001,
    status=200,
    outcome=Outcome.HEARD,
    num_bytes=96_000,
    audio_s=2.0,
    finish="stop",
)


@contextlib.contextmanager
def bench_on(settings=QUICK, **knobs):
    with fake_server(**knobs) as (url, server):
        bench = Bench(url, settings, RunLog())
        try:
            yield bench, server
        finally:
            bench.http.close()


def speak_once(bench, kind=Kind.STREAM, stop=None, text="Hello there."):
    record, _ = speak(bench, PlannedRequest(kind, "somebody", text, time.monotonic(), stop))
    return record
