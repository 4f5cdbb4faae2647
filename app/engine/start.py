"""How the sound of one stream begins: the first sound is held, or its player is told what to wait.

A hold lasts until the rest of the sound follows without a gap, by the forecast of
app/sessions/smoothness.py, which is made anew while the hold lasts. The listener's playback begins
when the hold is over, or when the player has waited as told. Knows nothing about T3 or the
vocoder's engine.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace

from app.core import AudioChunk, Mark, SpeechTokens, StageStats, SynthesisRequest
from app.engine.speed import scaled
from app.sessions.smoothness import Company, Shape, StreamForecast, cost_beside
from app.sessions.tasks import cancel_and_wait

LOOK_AGAIN_S = 0.02  # T3 has made more meanwhile, or has not
# Of the time in which a session must have sound: what is left is for the way to the ingress.
HELD_SHARE = 0.9
HELD_RESERVE = 1.15  # a stream that was released too early stalls, and a late one only waits


@dataclass(frozen=True, slots=True)
class StartRule:
    """The same for all streams of a replica."""

    shape: Callable[[], Shape]  # of a stream that begins now
    stats: Callable[[], StageStats]  # of the vocoder, with the cost of a cell now
    first_audio_s: float  # `limits.first_audio_s`


class StreamStart:
    """Of one paced session. `now` is the machine's monotonic clock."""

    def __init__(
        self,
        rule: StartRule,
        request: SynthesisRequest,
        company: Callable[[], Company],
        now: Callable[[], float],
    ) -> None:
        self._stats = rule.stats
        self._shape = rule.shape()
        self._company = company
        self.now = now
        self._is_held = request.is_held
        began_s = now()
        self._held_until_s = began_s + HELD_SHARE * rule.first_audio_s
        self._earlier_ends_s = began_s + request.lead_s  # the listener plays earlier sound so long
        self._first_s: float | None = None  # when the first sound was there
        self._forecast = StreamForecast(
            self._shape, request.segments, speed=request.speed, pauses_s=request.pauses_s
        )

    def asked(self, segment: int) -> None:
        """T3 is asked for the segment."""
        self._forecast.asked(segment, self.now())

    def tokens(self, group: SpeechTokens) -> None:
        num_tokens = group.start + len(group.ids)
        is_last = group.finish is not None
        self._forecast.tokens(group.segment, num_tokens, self.now(), is_last=is_last)

    def sound(self, segment: int, num_tokens: int) -> None:
        """The sound of the segment's first `num_tokens` is there."""
        now_s = self.now()
        self._first_s = now_s if self._first_s is None else self._first_s
        self._forecast.sound(segment, num_tokens, now_s)

    def plays_s(self, reserve: float = 1.0) -> float:
        """When playback should begin, on the clock, so that the player never runs dry. `reserve`:
        how much longer than its cost each cell may take."""
        now_s, cost = self.now(), self._stats().cost
        if cost is None or self._first_s is None:
            return max(now_s, self._earlier_ends_s)
        company = self._company()
        cell_cost = cost_beside(scaled(cost, reserve), self._shape, company)
        is_alone = company == Company()
        wait_s = self._forecast.prebuffer_s(now_s, cell_cost, is_alone=is_alone)
        return max(now_s, self._first_s + wait_s, self._earlier_ends_s)

    def hold_s(self) -> float:
        """How long the first sound must still be held; 0 or less: no longer."""
        if not self._is_held:
            return 0.0
        plays_s = self.plays_s(HELD_RESERVE)
        if plays_s <= self._earlier_ends_s:
            return 0.0
        return min(plays_s, self._held_until_s) - self.now()


async def started(
    chunks: AsyncGenerator[AudioChunk, None], start: StreamStart, begin: Callable[[float], None]
) -> AsyncGenerator[AudioChunk, None]:
    """The chunks, from the moment on at which the first may be sent. `begin` is called then, with
    the time at which playback begins. The end of the session ends the hold. The owner of `chunks`
    closes them."""
    coming: asyncio.Future[AudioChunk] | None = None
    try:
        held = [await anext(chunks)]
        while held[-1].finish is None and (wait_s := start.hold_s()) > 0:
            coming = coming or asyncio.ensure_future(anext(chunks))
            await asyncio.wait({coming}, timeout=min(wait_s, LOOK_AGAIN_S))
            if coming.done():
                held.append(coming.result())
                coming = None
        held[0] = _released(held[0], start, begin)
        for chunk in held:
            yield chunk
        if coming is not None:
            yield await coming
        async for chunk in chunks:
            yield chunk
    finally:
        if coming is not None:
            await cancel_and_wait(coming)


def _released(first: AudioChunk, start: StreamStart, begin: Callable[[float], None]) -> AudioChunk:
    """With what its player is told."""
    now_s, plays_s = start.now(), start.plays_s()
    begin(plays_s)
    marks = {**first.marks, Mark.RELEASED: now_s}
    return replace(first, marks=marks, prebuffer_s=plays_s - now_s)
