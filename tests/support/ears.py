"""The real hearing of a call on a scripted recogniser, driven by frames whose value is heard."""

import asyncio
from collections.abc import Sequence

from app.hearing.call import CallEars
from app.hearing.ears import HearingEvent, SoundFormat, TurnDetection
from app.hearing.recogniser_host import RecogniserHost
from app.hearing.sound import BYTES_PER_SAMPLE, RATE
from app.hearing_settings import HearingSettings
from tests.support.inline_host import InlineHost
from tests.support.scripted_recogniser import frame_saying

FRAME = 512
FRAME_S = FRAME / RATE
SOUND = SoundFormat("s16le", RATE)


class LoudDetector:
    """A frame whose first sample is not 0 is voice."""

    num_samples = FRAME

    def voice_probability(self, frame: bytes) -> float:
        return float(any(frame[:BYTES_PER_SAMPLE]))


class Listener:
    """Speaks frames into ears and keeps the events."""

    def __init__(self, ears: CallEars) -> None:
        self.ears = ears
        self.events: list[HearingEvent] = []
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(
        cls,
        host: RecogniserHost | None = None,
        turns: TurnDetection | None = None,
        settings: HearingSettings | None = None,
    ) -> "Listener":
        settings = settings or HearingSettings()
        return cls(await CallEars.open(settings, host or InlineHost(), SOUND, turns))

    async def say(self, *values: int) -> None:
        for value in values:
            await self.ears.accept(frame_saying(value))
            await self.settled(3)

    async def settled(self, turns: int = 20) -> Sequence[HearingEvent]:
        for _ in range(turns):
            await asyncio.sleep(0)
        return self.events

    async def until(self, kind: type[HearingEvent], within_s: float = 10.0) -> HearingEvent:
        """The next event of a kind that no earlier call has returned."""
        async with asyncio.timeout(within_s):
            while not any(isinstance(event, kind) for event in self.events):
                await asyncio.sleep(0.002)
        at = next(at for at, event in enumerate(self.events) if isinstance(event, kind))
        found = self.events[at]
        del self.events[: at + 1]
        return found

    async def aclose(self) -> None:
        await self.ears.aclose()
        await self._reader

    async def _read(self) -> None:
        async for event in self.ears.events():
            self.events.append(event)
