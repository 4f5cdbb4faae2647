"""A caller's microphone: a frame of sound every 20 ms, of an utterance or of silence. Runs in the
clients' environments, so it imports the standard library only."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

RATE, FRAME_S = 24_000, 0.02
REPLY_WITHIN_S = 30.0
INTERRUPT_AFTER_S = 0.7  # of the reply


class Microphone:
    def __init__(self, push: Callable[[bytes], Awaitable[None]]) -> None:
        self._push = push
        self._rest = b""
        self._size = int(RATE * FRAME_S) * 2

    async def run(self) -> None:
        at_s = time.monotonic()
        while True:
            part, self._rest = self._rest[: self._size], self._rest[self._size :]
            await self._push(part.ljust(self._size, b"\0"))
            at_s += FRAME_S
            await asyncio.sleep(max(0.0, at_s - time.monotonic()))

    def say(self, sound: bytes) -> float:
        """Returns when the voice begins."""
        self._rest = sound
        return time.monotonic()


def spoken(folder: Path) -> list[bytes]:
    """The utterances in a folder."""
    return [path.read_bytes() for path in sorted(folder.glob("*.pcm"))]
