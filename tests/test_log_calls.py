"""Every log call of the program goes through a logger that reaches the replica's log, and tells the
id of its session as a field."""

import ast

import pytest

from tests.support.log_calls import REPOSITORY, calls_in, log_calls

CALLS = log_calls("app", "deployments")
LOGGER = "log = logging.getLogger(__name__)"


def test_the_program_logs():
    assert len(CALLS) > 20


@pytest.mark.parametrize("path", sorted({call.path for call in CALLS}))
def test_a_module_logs_under_its_own_name(path):
    statements = [ast.unparse(node) for node in ast.parse((REPOSITORY / path).read_text()).body]
    assert LOGGER in statements


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_log_call_with_an_id_tells_it_as_a_field(call):
    assert call.tells_its_session or not call.names_a_session


def test_a_log_call_without_its_field_is_seen():
    (call,) = calls_in("app/a.py", "log.error('session %s failed', job.request.key.session_id)")
    assert call.names_a_session
    assert not call.tells_its_session
