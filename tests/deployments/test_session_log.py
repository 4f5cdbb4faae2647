"""What is written of a session that has ended, as Serve's JSON log has it."""

import json
import logging

from ray._common.formatters import JSONFormatter

from app.core import FinishReason, Mark, SessionKey
from app.sessions.table import SessionEnd
from deployments.session_log import log_end

KEY = SessionKey("acme", "turn-7")
MARKS = {Mark.RECEIVED: 10.0, Mark.FIRST_BYTE: 10.25, Mark.LAST_CELL: 11.5, Mark.LAST_BYTE: 12.0}


def written(caplog, end: SessionEnd) -> dict[str, object]:
    with caplog.at_level(logging.INFO, "ray.serve"):
        logging.getLogger("ray.serve").addHandler(caplog.handler)
        log_end(KEY, end)
        logging.getLogger("ray.serve").removeHandler(caplog.handler)
    line = json.loads(JSONFormatter().format(caplog.records[-1]))
    return {name: line[name] for name in FIELDS}


FIELDS = ("message", "session", "tenant", "finish", "cause", "ttfa_ms", "audio_s", "rtf", "tokens")


def test_a_session_that_ran_out_is_one_line_of_fields(caplog):
    end = SessionEnd(FinishReason.STOP, 3.0, 75, MARKS)
    assert written(caplog, end) == {
        "message": "session ended",
        "session": "turn-7",
        "tenant": "acme",
        "finish": "stop",
        "cause": "finished",
        "ttfa_ms": 250.0,
        "audio_s": 3.0,
        "rtf": 0.5,
        "tokens": 75,
    }


def test_what_a_session_never_had_is_null(caplog):
    end = SessionEnd(FinishReason.ERROR, marks={Mark.RECEIVED: 10.0}, cause="timeout")
    line = written(caplog, end)
    assert (line["finish"], line["cause"]) == ("error", "timeout")
    assert (line["ttfa_ms"], line["rtf"], line["tokens"]) == (None, None, 0)
