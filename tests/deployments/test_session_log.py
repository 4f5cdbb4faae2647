"""The log line of a session that has ended."""

import logging

from app.core import FinishReason, Mark, SessionKey
from app.sessions.table import SessionEnd
from deployments import session_log
from deployments.session_log import fields_of, log_end

KEY = SessionKey("acme", "turn-7")
MARKS = {Mark.RECEIVED: 10.0, Mark.FIRST_BYTE: 10.25, Mark.LAST_CELL: 11.5, Mark.LAST_BYTE: 12.0}


def test_a_finished_session_is_one_line_of_fields(caplog):
    end = SessionEnd(FinishReason.STOP, 3.0, 75, MARKS, num_underruns=2, stalled_s=0.5)
    with caplog.at_level(logging.INFO, session_log.__name__):
        log_end(KEY, end)
    (record,) = caplog.records
    assert record.getMessage() == "session ended"
    fields = fields_of(KEY, end)
    assert {name: getattr(record, name) for name in fields} == fields
    assert fields == {
        "session": "turn-7",
        "tenant": "acme",
        "finish": "stop",
        "cause": "finished",
        "ttfa_ms": 250.0,
        "audio_s": 3.0,
        "rtf": 0.5,
        "tokens": 75,
        "underruns": 2,
        "stalled_ms": 500,
    }


def test_a_field_that_a_session_never_had_is_none():
    end = SessionEnd(FinishReason.ERROR, marks={Mark.RECEIVED: 10.0}, cause="timeout")
    fields = fields_of(KEY, end)
    assert (fields["finish"], fields["cause"]) == ("error", "timeout")
    assert (fields["ttfa_ms"], fields["rtf"], fields["tokens"]) == (None, None, 0)
