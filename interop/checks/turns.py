"""The turns of a conversation by voice, the same for every client. Runs in the clients'
environments, so it imports the standard library only."""

import asyncio
from typing import Protocol

from interop.checks.microphone import INTERRUPT_AFTER_S, REPLY_WITHIN_S, Microphone

PAUSE_S = 1.0  # of silence before the first turn


class Listener(Protocol):
    """What a client hears of the server."""

    noticed_s: float | None  # when it was told of the voice
    sound_s: float  # of the reply
    began: asyncio.Event  # the reply has sound
    ended: asyncio.Event

    def next_turn(self) -> None:
        """Forgets the reply."""


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
        before_s = listener.sound_s
        listener.next_turn()
        began_s = microphone.say(utterances[number % len(utterances)])
        await asyncio.wait_for(listener.began.wait(), REPLY_WITHIN_S)
        noticed_s = listener.noticed_s
        turns.append(
            {
                "is_interruption": is_interruption,
                "noticed_ms": None if noticed_s is None else round((noticed_s - began_s) * 1e3),
                "cut_at_s": round(before_s, 2) if is_interruption else None,
            }
        )
    await asyncio.wait_for(listener.ended.wait(), REPLY_WITHIN_S)
    return turns
