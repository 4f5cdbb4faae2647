"""The seam between the interface and the engines. Knows nothing about HTTP, models or Ray."""

from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractContextManager
from typing import Protocol

from app.barge_in import BargeInTimes
from app.core import (
    AudioChunk,
    CancelAck,
    Group,
    Health,
    SessionKey,
    SessionReport,
    SynthesisRequest,
    VoiceRef,
)
from app.model_card import ModelCard
from app.spoken_words import Transcript, WordAccount


class Synthesizer(Protocol):
    """The one seam between interface and engines: in this process, over Ray handles, or a fake."""

    def card(self) -> ModelCard: ...

    def speak(
        self, request: SynthesisRequest, words: WordAccount | None = None
    ) -> AsyncGenerator[AudioChunk, None]:
        """`words` is asked at the end what was said.

        Chunks with sound in order, then an empty one with the finish reason and all marks.
        Closing the generator cancels the session. Raises before the first chunk: DuplicateSession
        if the id is live or remembered, Overloaded if there is no room. A cancel that came first
        yields the empty chunk with CANCELLED alone."""

    async def hand_over(self, key: SessionKey, sending: Coroutine[object, object, None]) -> None:
        """`sending` gives the last chunk to the transport. A stop cancels it: it is not sent."""

    def reader_stalled(self, key: SessionKey) -> None:
        """The client takes no more: the session ends as `reader_stalled` when it is closed."""

    def group(self, key: SessionKey) -> AbstractContextManager[Group]:
        """While the context is open, `key` names the group, whose last state is reported."""

    async def cancel(self, key: SessionKey, played_ms: float | None = None) -> CancelAck:
        """`played_ms`: how much of the sound the client has played; None: all that was sent."""

    async def interrupted(self, key: SessionKey, times: BargeInTimes) -> None:
        """The report of the session tells the barge-in that cut it. Raises Unavailable."""

    async def session(self, key: SessionKey) -> SessionReport | None:
        """The report of a session that has begun or was cancelled; None once it is forgotten."""

    async def transcript(self, key: SessionKey) -> Transcript | None:
        """What was said in a session that has ended; None while it lives, once it is forgotten, and
        where it had no account of its words."""

    async def live(self, tenant: str | None) -> tuple[SessionKey, ...]:
        """The live sessions of this tenant, or of every tenant. Raises Unavailable."""

    async def health(self) -> Health: ...

    async def enrol(self, voice: VoiceRef) -> None:
        """Returns when a recorded voice can speak. Raises BadRequest, NotFound, Unavailable."""
