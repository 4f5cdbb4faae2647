"""What the server's report of a session says about the audio that was received."""

from dataclasses import replace

from loadtests.records import Outcome
from loadtests.session_report import checked
from tests.support.loadtests.benches import GOOD


def test_a_session_that_the_server_reports_as_an_error_is_broken():
    assert checked(replace(GOOD, finish="error"), 2.0).outcome is Outcome.BROKEN
    assert checked(GOOD, 2.0).outcome is Outcome.HEARD
