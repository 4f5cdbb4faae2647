"""One log line with fields for each session that ends: what its caller got, never what was said.

In Serve's JSON log (`logging_config` in the config) each field stands beside Serve's own fields:
request_id, route, application, deployment, replica.
"""

import logging

from app.core import SessionKey
from app.sessions.table import SessionEnd
from app.sessions.timeline import first_audio_legs, real_time_factor

log = logging.getLogger(__name__)


def log_end(key: SessionKey, end: SessionEnd) -> None:
    log.info("session ended", extra=fields_of(key, end))


def fields_of(key: SessionKey, end: SessionEnd) -> dict[str, object]:
    """`cause` tells what ended the session. `rtf` is None where its audio was not made to its
    end."""
    factor = real_time_factor(end.marks, end.audio_sent_s)
    return {
        "session": key.session_id,
        "tenant": key.tenant,
        "finish": end.reason.value,
        "cause": end.cause,
        "ttfa_ms": first_audio_legs(end.marks).get("first_audio"),
        "audio_s": round(end.audio_sent_s, 3),
        "rtf": None if factor is None else round(factor, 3),
        "tokens": end.num_tokens,
        "underruns": end.num_underruns,
        "stalled_ms": round(end.stalled_s * 1000),
    }
