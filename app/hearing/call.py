"""The hearing of one call: frames, voice activity, utterances and their events.

Implements app.hearing.ears.Ears. Knows nothing about where the recogniser runs.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator

from app.hearing.call_recogniser import CallRecogniser
from app.hearing.detectors import new_detector, num_samples_of
from app.hearing.ears import (
    Aborted,
    HearingEvent,
    SoundFormat,
    SpeechBegan,
    SpeechEnded,
    SpeechLasted,
    TurnDetection,
)
from app.hearing.event_queue import EventQueue
from app.hearing.frames import Framer, require_format
from app.hearing.incoming_pace import IncomingPace
from app.hearing.recogniser_host import RecogniserHost
from app.hearing.sound import RATE, seconds_of
from app.hearing.voice_activity import VoiceActivity, VoiceChange
from app.hearing_settings import HearingSettings

YIELD_EVERY = 8  # frames; a detector takes about 1 ms for each
AHEAD_SHARE = 0.5  # of max_lag_s: a caller whose sound comes this far before its time can wait


class CallEars:
    """`accept` may wait while other methods are called."""

    def __init__(
        self,
        settings: HearingSettings,
        events: EventQueue,
        recogniser: CallRecogniser,
        sound: SoundFormat,
        turns: TurnDetection | None,
    ) -> None:
        """`recogniser` emits into `events`. Raises BadRequest."""
        self._settings = settings
        self._events = events
        self._recogniser = recogniser
        self._pace = IncomingPace()
        self._is_closed = False
        self._generation = 0
        self._open: int | None = None  # the utterance that takes sound
        self._open_s = 0.0  # of its sound
        self._before_s = 0.0  # sound that was accepted in earlier formats
        self._sound = sound
        self._framer = Framer(sound, num_samples_of(settings.voice_activity.detector))
        self._begin_turns(turns)

    @classmethod
    async def open(
        cls,
        settings: HearingSettings,
        host: RecogniserHost,
        sound: SoundFormat,
        turns: TurnDetection | None,
    ) -> "CallEars":
        """Raises BadRequest, Overloaded, Unavailable."""
        require_format(sound)  # before a recogniser is leased
        events = EventQueue()
        link = await host.lease()
        recogniser = CallRecogniser(host, link, events.put, settings.hang_s)
        return cls(settings, events, recogniser, sound, turns)

    async def accept(self, sound: bytes) -> None:
        if self._is_closed:
            return
        before_s = self._accepted_s
        frames = self._framer.feed(sound)
        self._pace.came(self._accepted_s - before_s)
        for number, frame in enumerate(frames, 1):
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            await self._wait_for_room()
            if not self._is_closed:
                self._take(frame)

    def events(self) -> AsyncIterator[HearingEvent]:
        return self._events.all()

    async def configure(self, sound: SoundFormat, turns: TurnDetection | None) -> int | None:
        require_format(sound)
        if sound != self._sound:
            self._begin_format(sound)
        if turns == self._turns:
            return None
        forgotten = await self.clear()
        self._begin_turns(turns)
        return forgotten

    async def commit(self) -> int | None:
        generation = self._open
        if self._activity is None:
            self._send(self._framer.take_rest())
        self._end_utterance()
        return generation

    async def clear(self) -> int | None:
        if self._activity is None:
            self._framer.take_rest()
        if (generation := self._open) is not None:
            self._close_utterance()
            self._events.discard(lambda event: event.generation == generation)
            self._recogniser.drop(generation)
        return generation

    async def abort(self, up_to: int) -> Aborted:
        if self._open is not None and self._open <= up_to:
            self._close_utterance()
        self._events.discard(lambda event: event.generation <= up_to)
        return await self._recogniser.abort(up_to)

    async def aclose(self) -> None:
        self._is_closed = True
        self._open = None
        self._events.close()
        await self._recogniser.aclose()

    @property
    def _accepted_s(self) -> float:
        return self._before_s + self._framer.accepted_s

    def _begin_format(self, sound: SoundFormat) -> None:
        rest, self._before_s = self._framer.take_rest(), self._accepted_s
        self._sound = sound
        self._framer = Framer(sound, self._framer.num_samples, rest)

    def _begin_turns(self, turns: TurnDetection | None) -> None:
        voice = self._settings.voice_activity
        detector = new_detector(voice.detector)
        self._turns = turns
        self._turns_from_s = self._accepted_s
        self._activity: VoiceActivity | None = None
        self._prefix_s = 0.0 if turns is None else turns.prefix_s
        num_prefix = math.ceil(self._prefix_s * RATE / detector.num_samples) + voice.num_frames + 1
        self._recent: deque[bytes] = deque(maxlen=num_prefix)  # frames that no utterance has
        if turns is not None:
            self._activity = VoiceActivity(
                detector,
                turns.threshold,
                voice.num_voiced,
                voice.num_frames,
                turns.silence_s,
                lasting_s=turns.lasting_s,
            )

    async def _wait_for_room(self) -> None:
        """A caller that is faster than real time waits; a recogniser that is slower loses the
        utterance, because the detector must not wait for it."""
        while self._recogniser.lag_s > self._settings.max_lag_s:
            if self._pace.ahead_s <= AHEAD_SHARE * self._settings.max_lag_s:
                lag_s = self._recogniser.lag_s
                late = f"{lag_s:.1f} s of sound wait for it, {self._settings.max_lag_s:g} s may"
                self._recogniser.fail(self._generation, "recogniser_late", late)
                return
            await self._recogniser.moved()

    def _take(self, frame: bytes) -> None:
        if self._activity is None:
            if self._open is None:
                self._open_utterance()
            self._send(frame)
        else:
            self._take_voice(frame, self._activity)
        if self._open is not None and self._open_s >= self._settings.max_utterance_s:
            self._end_long_utterance(self._open)

    def _take_voice(self, frame: bytes, activity: VoiceActivity) -> None:
        change = activity.feed(frame)
        if change is not None and change.kind == "began":
            self._begin_speech(frame, change, activity)
        elif self._open is not None:
            self._send(frame)
        else:
            self._recent.append(frame)
        if self._open is None or change is None:
            return
        if change.kind == "lasted":
            self._events.put(SpeechLasted(self._open, time.monotonic()))
        elif change.kind == "ended":
            ended_s = self._turns_from_s + change.at_s
            self._events.put(SpeechEnded(self._open, ended_s, self._accepted_s, time.monotonic()))
            self._end_utterance()

    def _begin_speech(self, frame: bytes, change: VoiceChange, activity: VoiceActivity) -> None:
        generation = self._open_utterance()
        began_s = self._turns_from_s + change.at_s
        self._events.put(SpeechBegan(generation, began_s, self._accepted_s, time.monotonic()))
        self._recent.append(frame)
        wanted_s = activity.fed_s - change.at_s + self._prefix_s
        num_wanted = math.ceil(wanted_s / seconds_of(frame) - 1e-6)
        for earlier in list(self._recent)[-num_wanted:]:
            self._send(earlier)
        self._recent.clear()

    def _open_utterance(self) -> int:
        self._generation += 1
        self._open, self._open_s = self._generation, 0.0
        self._recogniser.begin(self._generation)
        return self._generation

    def _send(self, pcm: bytes) -> None:
        if self._open is not None and pcm:
            self._open_s += seconds_of(pcm)
            self._recogniser.sound(self._open, pcm)

    def _end_utterance(self) -> None:
        if (generation := self._open) is not None:
            self._close_utterance()
            self._recogniser.end(generation)

    def _close_utterance(self) -> None:
        """A voice that goes on begins another utterance."""
        self._open = None
        self._recent.clear()
        if self._activity is not None:
            self._activity.restart()

    def _end_long_utterance(self, generation: int) -> None:
        if self._activity is None:
            long = f"it is longer than {self._settings.max_utterance_s:g} s"
            self._recogniser.fail(generation, "utterance_too_long", long)
            return
        self._events.put(
            SpeechEnded(generation, self._accepted_s, self._accepted_s, time.monotonic())
        )
        self._end_utterance()
