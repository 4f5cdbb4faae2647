"""What is known of one utterance until its text has come. Knows nothing about events."""

import asyncio
from dataclasses import dataclass, field

from app.api.realtime.ids import new_id
from app.api.realtime.partial_words import PartialWords
from app.hearing.ears import SpeechBegan


@dataclass(frozen=True, slots=True)
class Manners:
    """Of the session, as it is now. `must_last`: a voice interrupts when it has lasted, not when it
    begins. `tells_text`: the client has asked for transcriptions."""

    responds: bool
    is_interruptible: bool
    must_last: bool
    tells_text: bool


@dataclass(slots=True)
class Utterance:
    item_id: str = field(default_factory=lambda: new_id("item"))
    is_committed: bool = False
    withheld: SpeechBegan | None = None  # not told: it may be a back-channel
    voice_ms: int | None = None  # when the voice began; None: no voice, or it has ended
    words: PartialWords = field(default_factory=PartialWords)
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    late: asyncio.TimerHandle | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)  # its text has come, or never will


@dataclass(frozen=True, slots=True)
class TextLate:
    """The text of an utterance did not come in time."""

    generation: int
