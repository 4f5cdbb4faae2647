"""Speech that was spoken to its end and is not whole: a limit or a guard ended a segment. Pure.

A vendor's client takes an end without an error for a whole speech. So the error is told, and behind
the sound: what was made is heard. Nothing is spoken again for it.
"""

from collections.abc import Mapping

from app.api.dialects.dialect import ServerMessage
from app.core import FinishReason
from app.errors import SynthesisFailed

_REASONS: Mapping[object, str] = {
    FinishReason.LENGTH: "words may be missing: a segment reached its limit of tokens",
    FinishReason.BABBLE: "words may be missing: a guard ended a segment that had left its text",
}


def cut_of(message: ServerMessage) -> SynthesisFailed | None:
    """Of a message `done` or `flushed`; None where nothing was cut."""
    return cut_error(message.fields.get("finish_reason"))


def cut_error(finish: object) -> SynthesisFailed | None:
    reason = _REASONS.get(finish)
    return None if reason is None else SynthesisFailed(reason, code="speech_cut")
