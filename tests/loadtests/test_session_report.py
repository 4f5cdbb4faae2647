"""What the server's report of a session says about the audio that was received."""

import time
from dataclasses import replace
from types import SimpleNamespace

import httpx

from loadtests.records import Outcome
from loadtests.session_report import checked, with_report
from tests.support.loadtests.benches import GOOD, QUICK


def test_a_session_that_the_server_reports_as_an_error_is_broken():
    assert checked(replace(GOOD, finish="error"), 2.0).outcome is Outcome.BROKEN
    assert checked(GOOD, 2.0).outcome is Outcome.HEARD


def test_a_report_that_took_its_whole_time_is_asked_for_again():
    """A registry that did not run for some seconds answers before it hears of the end."""
    finishes = [None, "stop"]

    def get(_):
        time.sleep(1.5 * QUICK.report_within_s)
        report = {"finish": finishes.pop(0), "marks": {}, "legs_ms": {}, "audio_sent_ms": 2000.0}
        return httpx.Response(200, json=report)

    bench = SimpleNamespace(settings=QUICK, http=SimpleNamespace(get=get))
    assert with_report(bench, replace(GOOD, finish=None)).outcome is Outcome.HEARD
    assert not finishes
