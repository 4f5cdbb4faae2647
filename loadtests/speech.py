"""A speech session of a load test, the way that the run says: over HTTP, or over a socket."""

from loadtests import session
from loadtests.bench import Bench
from loadtests.records import Kind, Record
from loadtests.session import PlannedRequest
from loadtests.socket_session import speak_on_socket


def speak(bench: Bench, request: PlannedRequest) -> tuple[Record, float]:
    """As loadtests.session.speak. A whole file is asked for over HTTP."""
    via = bench.settings.via
    if via == "http" or request.kind is Kind.WHOLE:
        return session.speak(bench, request)
    return speak_on_socket(bench, request, via)
