"""The turns of a conversation by voice, the same for every client. Runs in the clients'
environments, so it imports the standard library only."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from interop.checks.microphone import INTERRUPT_AFTER_S, REPLY_WITHIN_S, Microphone

PAUSE_S = 1.0  # of silence before the first turn
LATE_S = 0.5  # after the notice of a voice; what a client's own queues still have comes before


class ReplySound:
    """How much sound of one reply has come, and how much of it behind a voice."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._noticed_s: float | None = None
        self.sound_s = 0.0
        self.late_s = 0.0

    def interrupted(self) -> None:
        """The client was told of a voice."""
        if self._noticed_s is None:
            self._noticed_s = self._now()

    def heard(self, seconds: float) -> None:
        self.sound_s += seconds
        if self._noticed_s is not None and self._now() - self._noticed_s > LATE_S:
            self.late_s += seconds

    def told(self) -> dict[str, float]:
        return {"sound_s": round(self.sound_s, 2), "late_s": round(self.late_s, 2)}


class Listener(Protocol):
    """What a client hears of the server."""

    noticed_s: float | None  # when it was told of the voice
    reply: ReplySound  # the newest
    began: asyncio.Event  # the reply has sound
    ended: asyncio.Event

    def next_turn(self) -> None:
        """Waits for another reply."""


async def hold_turns(
    listener: Listener, microphone: Microphone, utterances: list[bytes], num_turns: int
) -> list[dict[str, object]]:
    """Every second turn interrupts the reply before it. Returns behind the last reply. Raises
    TimeoutError where one does not come."""
    turns: list[dict[str, object]] = []
    await asyncio.sleep(PAUSE_S)
    for number in range(num_turns):
        is_interruption = number % 2 == 1
        if is_interruption:
            await asyncio.sleep(INTERRUPT_AFTER_S)
        elif number:
            await asyncio.wait_for(listener.ended.wait(), REPLY_WITHIN_S)
        before = listener.reply
        listener.next_turn()
        began_s = microphone.say(utterances[number % len(utterances)])
        await asyncio.wait_for(listener.began.wait(), REPLY_WITHIN_S)
        noticed_s = listener.noticed_s
        turns.append(
            {
                "is_interruption": is_interruption,
                "noticed_ms": None if noticed_s is None else round((noticed_s - began_s) * 1e3),
                "cut": before.told() if is_interruption else None,
            }
        )
    await asyncio.wait_for(listener.ended.wait(), REPLY_WITHIN_S)
    return turns
