"""A message of the assistant while it is spoken: one context of our own speech, as events.

The transcript is told word by word with the sound. Of a message that was cut, the text that was
heard follows from the times of its words. Knows nothing about language models.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.api.events import base64_of
from app.api.realtime.outbox import EventOutbox
from app.api.services import Services
from app.api.speech_context import SpeechContext
from app.api.speech_job import SpeechOptions
from app.core import CancelAck, FinishReason, SessionKey

MAX_BUFFER_S = 3.0  # that text waits for the end of its sentence


@dataclass(frozen=True, slots=True)
class Place:
    """Where the item stands in its response."""

    response_id: str
    item_id: str
    output_index: int

    @property
    def fields(self) -> dict[str, Any]:
        return {
            "response_id": self.response_id,
            "item_id": self.item_id,
            "output_index": self.output_index,
            "content_index": 0,
        }


class SpokenItem:
    """Implements app.api.speech_context.Outbox for its context."""

    def __init__(
        self,
        place: Place,
        outbox: EventOutbox,
        services: Services,
        options: SpeechOptions,
        session_id: str,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`session_id`: of the context. It names the sessions of the item for a cancel."""
        self.place = place
        self.session_id = session_id
        self.cut_ms: float | None = None  # as the client told in a truncation
        self._outbox = outbox
        self._services = services
        self._now = now
        self._text = ""
        self._num_told = 0  # characters
        self.is_cancelled = False  # by another request
        self._ack: tuple[float, float] | None = None  # ms that were played, and when
        self._context = SpeechContext(
            place.item_id,
            place.output_index,
            session_id,
            options,
            services=services,
            outbox=self,
            is_binary=False,
            max_buffer_s=MAX_BUFFER_S,
            is_held=services.planner.is_held(None),
            tells_words=True,
            words_once=True,
            may_be_full=False,  # the language model bounds its reply
        )

    @property
    def text(self) -> str:
        """All that the language model has said."""
        return self._text

    @property
    def num_tokens(self) -> int:
        """Speech tokens."""
        return self._context.num_tokens

    @property
    def key(self) -> SessionKey:
        return SessionKey(self._context.options.caller.tenant, self.session_id)

    async def push(self, text: str) -> None:
        self._text += text
        await self._context.push(text)

    def close(self) -> None:
        """No more text comes."""
        self._context.close()

    async def run(self) -> None:
        """Speaks to the end of the text. Raises the errors of the speech."""
        await self._context.run()

    def mute(self) -> None:
        """From now on no sound is written."""
        self._outbox.mute(self.place.item_id)

    async def cancel(self) -> CancelAck:
        """Returns when the speech has stopped."""
        return await self._context.cancel(self._acknowledged_ms())

    def acknowledge(self, played_ms: float) -> None:
        """The listener's player has played `played_ms` of the item now."""
        self._ack = played_ms, self._now()

    @property
    def heard_ms(self) -> float | None:
        """By the client's truncation, else by the listener's clock; None where neither is known:
        then all that was sent counts."""
        return self._acknowledged_ms() if self.cut_ms is None else self.cut_ms

    def heard_text(self) -> str:
        """What was heard of the text."""
        return self._context.heard_at(self.heard_ms).text

    async def tell(self, context: SpeechContext, kind: str, **fields: object) -> None:
        if kind == "words":
            for word in fields["words"]:  # type: ignore[attr-defined]
                self._tell_to(word["char_end"], start_time=round(word["start_ms"] / 1e3, 3))
        elif kind == "done":
            self.is_cancelled = fields["finish_reason"] is FinishReason.CANCELLED
            if not (self.is_cancelled or context.is_cancelled):
                self._tell_to(len(self._text))

    async def audio(
        self, context: SpeechContext, encoded: bytes, prebuffer_ms: int | None = None
    ) -> None:
        if not context.is_cancelled:
            sound = base64_of(encoded)
            kind, place = "response.output_audio.delta", self.place
            await self._outbox.sound(place.item_id, kind, **place.fields, delta=sound)

    def _tell_to(self, char_end: int, **times: float) -> None:
        delta, self._num_told = self._text[self._num_told : char_end], max(char_end, self._num_told)
        if delta:
            kind = "response.output_audio_transcript.delta"
            self._outbox.post(kind, **self.place.fields, delta=delta, **times)

    def _acknowledged_ms(self) -> float | None:
        """The player has gone on since it told."""
        if self._ack is None:
            return None
        played_ms, at_s = self._ack
        return played_ms + (self._now() - at_s) * 1e3
