"""One side of the recorded call, who interrupts in real time. Knows nothing about what is
interrupted."""

import asyncio
import time
from dataclasses import dataclass

import numpy as np

from app.hearing.ears import (
    Ears,
    HearingEvent,
    HearingFailed,
    Listening,
    SoundFormat,
    SpeechBegan,
    TurnDetection,
)
from benchmarks.recorded_call import RATE, Moment, RecordedCall, s16le

CHUNK_S = 0.02
SOUND = SoundFormat("s16le", RATE)
TURNS = TurnDetection()
BEFORE_S = 0.35  # of the pause before an interruption
PAUSE_S = 0.8  # behind a noise: one that was taken for a voice has ended


@dataclass(frozen=True, slots=True)
class Interruption:
    """That was noticed. The speaking goes on."""

    began_at_s: float  # on the clock
    event: SpeechBegan
    in_sound_s: float  # from the voice to the end of the sound with which it was noticed
    speaking: "asyncio.Task[None]"


class Listener:
    """One side of a call: speaks recorded sound into ears and hears their events."""

    def __init__(self, ears: Ears, call: RecordedCall) -> None:
        self._ears, self._call = ears, call
        self._events: asyncio.Queue[HearingEvent] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())
        self.failed: list[HearingFailed] = []
        self.num_false = 0  # noises that were taken for a voice
        self._said_s = 0.0

    async def aclose(self) -> None:
        await self._ears.aclose()
        await self._reader

    async def keep_busy(self, earlier: Moment) -> None:
        """Says an utterance at once, with the silence that ends it."""
        cut = self._call.cut(earlier.began_s - 0.2, earlier.ended_s)
        await self._say(s16le([cut]) + bytes(round(TURNS.silence_s * RATE * 2) + RATE // 2))
        await asyncio.sleep(0.05)
        while not self._events.empty():
            self._events.get_nowait()

    async def interrupt(self, moment: Moment, noise: Moment | None = None) -> Interruption:
        """Speaks in real time, behind a noise where there is one. Returns when it was noticed."""
        before = self._call.cut(moment.began_s - BEFORE_S, moment.began_s)
        if noise is not None:
            around = self._call.cut(noise.began_s, noise.ended_s + PAUSE_S)
            before = np.concatenate([around, before])
        before_s = len(before) / RATE
        voice_s = self._said_s + before_s
        began_at_s = time.monotonic() + before_s
        cut = self._call.cut(moment.began_s, moment.ended_s)
        speaking = asyncio.create_task(self._speak(s16le([before, cut])))
        while True:
            event = await self._events.get()
            if isinstance(event, SpeechBegan):
                if event.noticed_s > voice_s:
                    in_sound_s = event.noticed_s - voice_s
                    return Interruption(began_at_s, event, in_sound_s, speaking)
                self.num_false += 1
            if speaking.done():
                raise RuntimeError(f"nobody noticed {moment.text!r}")

    async def _say(self, sound: bytes) -> None:
        self._said_s += len(sound) / 2 / RATE
        await self._ears.accept(sound)

    async def until_listening(self, generation: int) -> None:
        while True:
            event = await self._events.get()
            if isinstance(event, Listening) and event.generation == generation:
                return

    async def fall_silent(self, generation: int, speaking: "asyncio.Task[None]") -> None:
        speaking.cancel()
        await asyncio.wait({speaking})
        await self._ears.clear()
        await self._ears.abort(generation)

    async def _speak(self, sound: bytes) -> None:
        step = round(CHUNK_S * RATE) * 2
        due_s = time.monotonic()
        for at in range(0, len(sound), step):
            due_s += CHUNK_S  # a chunk can be sent when its last sample was spoken
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await self._say(sound[at : at + step])

    async def _read(self) -> None:
        async for event in self._ears.events():
            if isinstance(event, HearingFailed):
                self.failed.append(event)
            self._events.put_nowait(event)
