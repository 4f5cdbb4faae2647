"""What the player of a stream is told to wait before it plays the first sound."""

import math

from app.core import AudioChunk, Mark

PREBUFFER = "X-Prebuffer-Ms"


class Prebuffers:
    """Of the streams of this process."""

    def __init__(self) -> None:
        self._newest_ms: int | None = None  # what the stream that began last needed, in all

    def told_ms(self, chunk: AudioChunk) -> int | None:
        """What the player waits with a stream's first chunk; None with a later one, and where
        nothing is known. The time that the chunk was held is over."""
        if chunk.prebuffer_s is None:
            return None
        held_s = chunk.marks.get(Mark.RELEASED, 0.0) - chunk.marks.get(Mark.FIRST_CELL, 0.0)
        self._newest_ms = _ms(chunk.prebuffer_s + held_s)
        return _ms(chunk.prebuffer_s)

    def expected_ms(self, *, is_held: bool) -> int | None:
        """The same of a stream that has not begun; None: no stream has begun here yet."""
        return 0 if is_held else self._newest_ms


def _ms(seconds: float) -> int:
    return max(0, math.ceil(seconds * 1000 - 0.5))
