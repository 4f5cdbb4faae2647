"""What a client says, utterance by utterance: the events that are told, and what follows of them.

An utterance is an item of the conversation from its commit on. Knows nothing about sound.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from app.api.errors import error_of
from app.api.realtime.item_fields import told
from app.api.realtime.listener import (
    Cleared,
    Committed,
    Forgotten,
    Heard,
    HearingLost,
    NothingToCommit,
    Obeyed,
)
from app.api.realtime.outbox import EventOutbox
from app.api.realtime.responses import BargeIn, Responses
from app.api.realtime.utterance import Manners, TextLate, Utterance
from app.conversation.items import Conversation, Message, Part
from app.errors import BadRequest, ServeError, Unavailable
from app.hearing.ears import (
    Aborted,
    FinalText,
    HearingFailed,
    Listening,
    PartialText,
    SpeechBegan,
    SpeechEnded,
    SpeechLasted,
)

TRANSCRIPTION = "conversation.item.input_audio_transcription"
NO_SOUND = "no utterance is open: nothing that was sent since the last commit is one"


class Utterances:
    def __init__(
        self,
        conversation: Conversation,
        outbox: EventOutbox,
        responses: Responses,
        *,
        manners: Callable[[], Manners],
        abort: Callable[[int], "asyncio.Future[Aborted]"],
        respond: Callable[[], None],
        late: Callable[[TextLate], None],
        observe: Callable[[str], None],
        transcript_s: float,
    ) -> None:
        """`abort`: as Listener.abort. `respond`: creates a response to what was said. `late` must
        give the event to `heard`. `observe`: as RealtimeObserver.utterance."""
        self._conversation = conversation
        self._outbox = outbox
        self._responses = responses
        self._manners = manners
        self._abort = abort
        self._respond = respond
        self._late = late
        self._observe = observe
        self._transcript_s = transcript_s
        self._open: dict[int, Utterance] = {}  # by generation, until the text has come
        self._newest = 0  # generation that was heard of
        self._forgotten: set[int] = set()  # generations of which only late events will be heard
        self._owes_response = False  # something was said, and is not answered

    @property
    def is_idle(self) -> bool:
        return not self._open

    async def texts(self) -> None:
        """Returns when every utterance that is committed now has its text, or will have none."""
        for utterance in [each for each in self._open.values() if each.is_committed]:
            await utterance.ended.wait()

    def answered(self) -> None:
        """A response to all that was said has been created."""
        self._owes_response = False

    def answer(self) -> None:
        """A response that is owed follows once no other is active, nobody speaks, and every text is
        there."""
        self._owes_response = self._owes_response and self._manners().responds
        if self._owes_response and not self._open and self._responses.active is None:
            self._owes_response = False
            self._respond()

    async def heard(self, event: Heard | TextLate) -> None:
        match event:
            case SpeechBegan():
                await self._began(event)
            case SpeechLasted():
                await self._lasted(event)
            case SpeechEnded():
                self._ended(event)
            case Listening():
                if (utterance := self._of(event.generation)) is not None:
                    utterance.listening.set()
            case PartialText():
                self._partial(event)
            case FinalText():
                self._final(event)
            case HearingFailed():
                error = Unavailable(event.message, code=event.code)
                self._failed(event.generation, error)
            case HearingLost():
                self._lost(event.error)
            case TextLate():
                self._text_late(event.generation)
            case _:
                self._obeyed(event)

    def _obeyed(self, event: Obeyed) -> None:
        match event:
            case Committed():
                self._commit(event.generation)
            case NothingToCommit():
                refusal = BadRequest(NO_SOUND, code="input_audio_buffer_commit_empty")
                self._outbox.refuse(refusal, event.event_id)
            case Forgotten():
                self._forget(event.generation)
            case Cleared():
                self._outbox.post("input_audio_buffer.cleared")

    def _forget(self, generation: int) -> None:
        """Nothing more is told of the utterance."""
        self._end(generation)
        if generation > self._newest:
            self._forgotten.add(generation)
        self.answer()

    def close(self) -> None:
        for utterance in self._open.values():
            if utterance.late is not None:
                utterance.late.cancel()

    def _of(self, generation: int) -> Utterance | None:
        """None: the utterance has ended, and nothing more is told of it."""
        if generation > self._newest:
            self._newest = generation
            if generation in self._forgotten:
                self._forgotten.discard(generation)
            else:
                self._open[generation] = Utterance()
        return self._open.get(generation)

    async def _began(self, event: SpeechBegan) -> None:
        if (utterance := self._of(event.generation)) is None:
            return
        manners = self._manners()
        is_barge_in = self._responses.active is not None and manners.is_interruptible
        if is_barge_in and manners.must_last:
            utterance.withheld = event
            return
        if is_barge_in:
            await self._interrupt(utterance, event, event.noticed_at_s)
        if event.generation in self._open:  # it was not forgotten meanwhile
            self._tell_began(utterance, event)

    async def _lasted(self, event: SpeechLasted) -> None:
        """A voice that was withheld is no back-channel."""
        utterance = self._of(event.generation)
        if utterance is not None and (began := utterance.withheld) is not None:
            await self._interrupt(utterance, began, event.noticed_at_s)
            if event.generation in self._open:
                self._tell_began(utterance, began)

    async def _interrupt(
        self, utterance: Utterance, began: SpeechBegan, noticed_at_s: float
    ) -> None:
        """The stop is under way before the client is told: its socket may be blocked."""
        if (active := self._responses.active) is None:
            return
        abort = partial(self._abort, began.generation - 1)
        times = began.began_at_s, noticed_at_s
        barge_in = BargeIn(*times, abort=abort, listen=utterance.listening.wait)
        self._responses.stop(active, "turn_detected", barge_in)
        await active.is_stopping.wait()
        self._drop_before(began.generation)

    def _tell_began(self, utterance: Utterance, began: SpeechBegan) -> None:
        utterance.withheld = None
        utterance.voice_ms = round(began.began_s * 1e3)
        named = {"audio_start_ms": utterance.voice_ms, "item_id": utterance.item_id}
        self._outbox.post("input_audio_buffer.speech_started", **named)

    def _drop_before(self, generation: int) -> None:
        """A barge-in has aborted what was heard before it and had no text yet."""
        error = Unavailable("the utterance was dropped by a barge-in", code="interrupted")
        for dropped in [each for each in self._open if each < generation]:
            self._failed(dropped, error)

    def _ended(self, event: SpeechEnded) -> None:
        if (utterance := self._of(event.generation)) is None:
            return
        if utterance.withheld is not None and self._responses.active is not None:
            self._end(event.generation)
            self._observe("back_channel")
            self.answer()
            return
        self._reveal(utterance)
        self._voice_ended(utterance, round(event.ended_s * 1e3))
        self._commit(event.generation)

    def _reveal(self, utterance: Utterance) -> None:
        """A voice that was withheld is told: there is nothing to interrupt any more."""
        if utterance.withheld is not None:
            self._tell_began(utterance, utterance.withheld)

    def _voice_ended(self, utterance: Utterance, end_ms: int) -> None:
        utterance.voice_ms = None
        stopped = {"audio_end_ms": end_ms, "item_id": utterance.item_id}
        self._outbox.post("input_audio_buffer.speech_stopped", **stopped)

    def _commit(self, generation: int) -> None:
        """Idempotent: an order may commit what a voice has ended."""
        utterance = self._of(generation)
        if utterance is None or utterance.is_committed:
            return
        self._reveal(utterance)
        item = Message(utterance.item_id, "user", (Part(None, is_audio=True),))
        try:
            before = self._conversation.add(item)
        except BadRequest as error:  # it is full
            self._end(generation)
            self._outbox.refuse(error)
            return
        utterance.is_committed = True
        named = {"previous_item_id": before, "item_id": item.id}
        self._outbox.post("input_audio_buffer.committed", **named)
        for kind in ("conversation.item.added", "conversation.item.done"):
            self._outbox.post(kind, previous_item_id=before, item=told(item))
        loop = asyncio.get_running_loop()
        late = TextLate(generation)
        utterance.late = loop.call_later(self._transcript_s, self._late, late)

    def _partial(self, event: PartialText) -> None:
        utterance = self._of(event.generation)
        if utterance is None or utterance.withheld is not None:
            return
        delta = utterance.words.news(event.text)
        if delta and self._manners().tells_text:
            named = {"item_id": utterance.item_id, "content_index": 0, "delta": delta}
            self._outbox.post(f"{TRANSCRIPTION}.delta", **named)

    def _final(self, event: FinalText) -> None:
        self._commit(event.generation)
        if (utterance := self._end(event.generation)) is None:
            return
        text = event.text.strip()
        self._conversation.replace(Message(utterance.item_id, "user", (Part(text, is_audio=True),)))
        self._observe("understood" if text else "empty")
        if self._manners().tells_text:
            seconds = round(event.audio_s, 3)
            self._outbox.post(
                f"{TRANSCRIPTION}.completed",
                item_id=utterance.item_id,
                content_index=0,
                transcript=text,
                usage={"type": "duration", "seconds": seconds},
            )
        self._owes_response = self._owes_response or bool(text)
        self.answer()

    def _failed(self, generation: int, error: ServeError) -> None:
        utterance = self._of(generation)
        if utterance is None:
            return
        self._reveal(utterance)
        if utterance.voice_ms is not None:
            self._voice_ended(utterance, utterance.voice_ms)
        self._commit(generation)
        if self._end(generation) is None:
            return
        self._observe(error.code)
        named = {"item_id": utterance.item_id, "content_index": 0}
        self._outbox.post(f"{TRANSCRIPTION}.failed", **named, error=error_of(error))
        self.answer()

    def _lost(self, error: ServeError) -> None:
        for generation in list(self._open):
            self._failed(generation, error)
        self._outbox.refuse(error)

    def _text_late(self, generation: int) -> None:
        message = f"no text came within {self._transcript_s:g} s (realtime.transcript_s)"
        self._failed(generation, Unavailable(message, code="recogniser_late"))
        self._abort(generation)

    def _end(self, generation: int) -> Utterance | None:
        utterance = self._open.pop(generation, None)
        if utterance is not None:
            utterance.ended.set()
            if utterance.late is not None:
                utterance.late.cancel()
        return utterance
