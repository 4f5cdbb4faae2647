"""What happens when a listener interrupts: everything is stopped in parallel, and every step has
its time.

Knows nothing about players, speech, recognisers or language models: each is a callable.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from app.hearing.ears import Aborted

STEP_S = 5.0  # a step that takes longer is given up


class ChainMark(StrEnum):
    """A moment of a barge-in, on the monotonic clock."""

    SPEECH_BEGAN = "speech_began"  # the listener's voice began
    NOTICED = "noticed"  # the detector said so
    PLAYBACK_SILENT = "playback_silent"  # the player plays nothing any more
    TTS_CANCEL_SENT = "tts_cancel_sent"
    TTS_ACKNOWLEDGED = "tts_acknowledged"  # the speech's engine has stopped
    RECOGNISER_ABORTED = "recogniser_aborted"  # the recogniser has seen the abort
    RECOGNISER_FREED = "recogniser_freed"  # it has dropped what it was recognising
    SOCKET_CLOSED = "socket_closed"  # the connection that carried the speech is closed
    LLM_CANCELLED = "llm_cancelled"
    LISTENING = "listening"  # the recogniser has the first sound of the interruption


ChainMarks = Mapping[ChainMark, float]  # seconds
Step = Callable[[], Awaitable[object]]

_LEGS = {
    "notice": (ChainMark.SPEECH_BEGAN, ChainMark.NOTICED),
    "silence": (ChainMark.NOTICED, ChainMark.PLAYBACK_SILENT),
    "tts_sent": (ChainMark.NOTICED, ChainMark.TTS_CANCEL_SENT),
    "tts_ack": (ChainMark.NOTICED, ChainMark.TTS_ACKNOWLEDGED),
    "recogniser_abort": (ChainMark.NOTICED, ChainMark.RECOGNISER_ABORTED),
    "recogniser_free": (ChainMark.NOTICED, ChainMark.RECOGNISER_FREED),
    "socket": (ChainMark.NOTICED, ChainMark.SOCKET_CLOSED),
    "llm": (ChainMark.NOTICED, ChainMark.LLM_CANCELLED),
    "listening": (ChainMark.NOTICED, ChainMark.LISTENING),
}


@dataclass(frozen=True, slots=True)
class ChainSteps:
    """None: the call has no such part. Each returns when its part has stopped; `listen` returns
    when the recogniser has the first sound of the interruption."""

    silence_player: Step | None = None
    cancel_speech: Step | None = None
    abort_recogniser: Callable[[], Awaitable[Aborted]] | None = None
    close_socket: Step | None = None
    cancel_llm: Step | None = None
    listen: Step | None = None


@dataclass(frozen=True, slots=True)
class ChainReport:
    marks: ChainMarks
    failures: Mapping[str, str]  # by the field of ChainSteps; the other steps are not affected

    @property
    def legs_ms(self) -> dict[str, float]:
        """In milliseconds. A leg without a mark at one of its ends is left out."""
        return chain_legs(self.marks)


def chain_legs(marks: ChainMarks) -> dict[str, float]:
    """`chain` is from the notice to the last mark."""
    legs = {
        name: round((marks[end] - marks[begin]) * 1000, 3)
        for name, (begin, end) in _LEGS.items()
        if begin in marks and end in marks
    }
    if ChainMark.NOTICED in marks:
        legs["chain"] = round((max(marks.values()) - marks[ChainMark.NOTICED]) * 1000, 3)
    return legs


async def cancel_chain(steps: ChainSteps, began_at_s: float, noticed_at_s: float) -> ChainReport:
    """Runs all steps at once and returns when each has ended, failed or taken STEP_S. Times are
    those of SpeechBegan. A cancelled chain cancels its steps."""
    marks = {ChainMark.SPEECH_BEGAN: began_at_s, ChainMark.NOTICED: noticed_at_s}

    async def run(step: Step, done: ChainMark, sent: ChainMark | None = None) -> None:
        if sent is not None:
            marks[sent] = time.monotonic()
        answer = await step()
        marks[done] = time.monotonic()
        if isinstance(answer, Aborted):
            marks[done] = answer.freed_at_s or marks[done]
            marks[ChainMark.RECOGNISER_ABORTED] = answer.aborted_at_s or marks[done]

    planned = {
        "silence_player": (steps.silence_player, ChainMark.PLAYBACK_SILENT, None),
        "cancel_speech": (
            steps.cancel_speech,
            ChainMark.TTS_ACKNOWLEDGED,
            ChainMark.TTS_CANCEL_SENT,
        ),
        "abort_recogniser": (steps.abort_recogniser, ChainMark.RECOGNISER_FREED, None),
        "close_socket": (steps.close_socket, ChainMark.SOCKET_CLOSED, None),
        "cancel_llm": (steps.cancel_llm, ChainMark.LLM_CANCELLED, None),
        "listen": (steps.listen, ChainMark.LISTENING, None),
    }
    tasks = {
        name: asyncio.create_task(run(step, done, sent))
        for name, (step, done, sent) in planned.items()
        if step is not None
    }
    if not tasks:
        return ChainReport(marks, {})
    try:
        await asyncio.wait(tasks.values(), timeout=STEP_S)
    finally:
        late = [task for task in tasks.values() if not task.done()]
        for task in late:
            task.cancel()
    if late:
        await asyncio.wait(late)
    failures = {name: why for name, task in tasks.items() if (why := _failure(task)) is not None}
    return ChainReport(marks, failures)


def _failure(task: "asyncio.Task[None]") -> str | None:
    if task.cancelled():
        return f"took longer than {STEP_S:g} s"
    error = task.exception()
    return None if error is None else f"{type(error).__name__}: {error}"
