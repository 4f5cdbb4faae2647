"""Where a session's time went: its marks from several processes, and named legs between them.

A mark is a moment on one machine's clock. A leg is the time between two marks, and can be compared
on any machine. Knows nothing about the places that set the marks.
"""

from app.core import Mark, Marks

_FIRST_AUDIO = {
    "claim": (Mark.RECEIVED, Mark.CLAIMED),
    "to_vocoder": (Mark.CLAIMED, Mark.CONDITIONED),
    "to_t3": (Mark.CONDITIONED, Mark.QUEUED),
    "queue": (Mark.QUEUED, Mark.PREFILL),
    "first_tokens": (Mark.PREFILL, Mark.FIRST_TOKEN),
    "first_cell": (Mark.FIRST_TOKEN, Mark.FIRST_CELL),
    "hold": (Mark.FIRST_CELL, Mark.RELEASED),
    "to_proxy": (Mark.RELEASED, Mark.FIRST_BYTE),
    "first_audio": (Mark.RECEIVED, Mark.FIRST_BYTE),  # the sum of the legs before it
    "whole": (Mark.RECEIVED, Mark.LAST_BYTE),
}
_CANCEL = {
    "cancel_to_registry": (Mark.CANCEL_RECEIVED, Mark.CANCEL_LOGGED),
    "cancel_to_t3": (Mark.CANCEL_LOGGED, Mark.T3_TOLD),
    "cancel_last_step": (Mark.T3_TOLD, Mark.T3_STOPPED),
    "cancel_engine": (Mark.CANCEL_RECEIVED, Mark.T3_STOPPED),
    "cancel_vocoder": (Mark.CANCEL_RECEIVED, Mark.VOCODER_DROPPED),
    "cancel_silence": (Mark.CANCEL_RECEIVED, Mark.AUDIO_STOPPED),
    "cancel_ack": (Mark.CANCEL_RECEIVED, Mark.ACKNOWLEDGED),
    "disconnect_engine": (Mark.DISCONNECTED, Mark.T3_STOPPED),
    "disconnect_vocoder": (Mark.DISCONNECTED, Mark.VOCODER_DROPPED),
}


_LATEST_COUNTS = {Mark.LAST_STEP, Mark.T3_STOPPED, Mark.VOCODER_DROPPED}


def merged(one: Marks, other: Marks) -> dict[Mark, float]:
    """All marks of both. Of a mark that both have, the earlier time counts; of the marks in
    _LATEST_COUNTS the later."""
    marks = dict(one)
    for mark, at_s in other.items():
        known_s = marks.get(mark, at_s)
        marks[mark] = max(known_s, at_s) if mark in _LATEST_COUNTS else min(known_s, at_s)
    return marks


def first_audio_legs(marks: Marks) -> dict[str, float]:
    """In milliseconds. A leg without a mark at one of its ends is left out."""
    return _legs(_FIRST_AUDIO, marks)


def cancel_legs(marks: Marks) -> dict[str, float]:
    return _legs(_CANCEL, marks)


def all_legs(marks: Marks) -> dict[str, float]:
    return first_audio_legs(marks) | cancel_legs(marks)


def real_time_factor(marks: Marks, audio_s: float) -> float | None:
    """Seconds until a session's last sound was made, per second of its sound. None where the sound
    was not made to its end."""
    if Mark.LAST_CELL not in marks or Mark.RECEIVED not in marks or audio_s <= 0:
        return None
    return (marks[Mark.LAST_CELL] - marks[Mark.RECEIVED]) / audio_s


def _legs(legs: dict[str, tuple[Mark, Mark]], marks: Marks) -> dict[str, float]:
    return {
        name: round((marks[end] - marks[begin]) * 1000, 3)
        for name, (begin, end) in legs.items()
        if begin in marks and end in marks
    }
