"""What is known in the pipeline of one session: the sound that its listener still has to hear, and
what goes with the first chunk. Knows nothing about queues or engines."""

import asyncio
import time

from app.core import (
    NO_MARKS,
    SAMPLE_RATE,
    TOKENS_PER_S,
    Cost,
    Costs,
    Mark,
    Marks,
    SpeechTokens,
    StageStats,
    SynthesisRequest,
)
from app.engine.s3gen.messages import SegmentAudio
from app.engine.s3gen.scheduler import START_MARGIN_S
from app.engine.start import StreamStart


class Playback:
    """The sound of a session that its listener still has to hear, if each chunk is played as it
    comes, the first when its hold is over."""

    def __init__(self, request: SynthesisRequest, start: StreamStart | None) -> None:
        self._request = request
        self.start = start
        self._num_tokens = 0  # of all segments so far
        self.marks: dict[Mark, float] = {}  # until the first chunk takes them along
        self.t3_cost: Cost | None = None  # as T3 told with its first tokens
        self.has_begun = asyncio.Event()
        self._began_s: float | None = None
        self._voiced_s = 0.0  # the listener's seconds of sound that have left

    def asked(self, segment: int) -> None:
        """T3 is asked for the segment."""
        if self.start is not None:
            self.start.asked(segment)

    def add(self, group: SpeechTokens) -> None:
        self._num_tokens += len(group.ids)
        if group.segment == 0:
            self.marks |= group.marks
            self.t3_cost = group.cost or self.t3_cost
        if self.start is not None:
            self.start.tokens(group)

    def voiced(self, audio: SegmentAudio) -> Marks:
        """Call for each part. Playback begins with the first, which gets the marks."""
        if self.start is not None:
            self.start.sound(audio.segment, audio.num_tokens)
        self._voiced_s += len(audio.pcm) / SAMPLE_RATE / self._request.speed
        if self._began_s is not None:
            return NO_MARKS
        self._began_s = time.monotonic()
        self.has_begun.set()
        return self.marks | {Mark.FIRST_CELL: self._began_s, Mark.RELEASED: self._began_s}

    def costs(self, vocoder: StageStats) -> Costs:
        both = {"t3": self.t3_cost, "vocoder": vocoder.cost}
        return {stage: cost for stage, cost in both.items() if cost is not None}

    def begins_at(self, at_s: float) -> None:
        """Playback begins at this time instead."""
        self._began_s = at_s

    @property
    def is_silent(self) -> bool:
        """Whether it has no sound yet."""
        return self._began_s is None

    @property
    def is_starting(self) -> bool:
        """Whether its listener has so little sound left that its next cells are wanted now."""
        if self._began_s is None:
            return False
        return self._voiced_s - (time.monotonic() - self._began_s) < START_MARGIN_S

    def lead_s(self, segment: int) -> float:
        """The listener's seconds until the segment is due: the sound of all tokens so far, and the
        pauses before the segment."""
        played_s = 0.0 if self._began_s is None else time.monotonic() - self._began_s
        sound_s = self._num_tokens / TOKENS_PER_S + sum(self._request.pauses_s[: segment + 1])
        return max(0.0, sound_s / self._request.speed - played_s)
