"""One call's hearing, as a Protocol: sound in, events out.

Times that end in `_s` are seconds of the sound that was accepted, from the call's first sample.
Times that end in `_at_s` are seconds of the monotonic clock. Knows nothing about detectors,
recognisers or hosts.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

Encoding = Literal["s16le", "mulaw", "alaw"]
FailureCode = Literal[
    "recogniser_died",  # its process or its server ended
    "recogniser_hung",  # it made no progress, and was replaced
    "recogniser_late",  # more sound waited for it than may wait
    "recogniser_failed",  # it raised an error; the message has it
    "utterance_too_long",  # push to talk alone: a long speech is ended and begins anew
]


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """Mono. mulaw and alaw are G.711."""

    encoding: Encoding = "s16le"
    sample_rate: int = 24_000  # Hz, 8,000 to 48,000


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """The voice begins and ends utterances."""

    threshold: float = 0.5  # probability of voice
    prefix_s: float = 0.3  # sound before the beginning that belongs to the utterance
    silence_s: float = 0.5  # silence that ends an utterance
    lasting_s: float = 0.0  # a voice that goes on for this time has lasted; 0: no SpeechLasted


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """A new utterance, `generation`, is open."""

    generation: int
    began_s: float
    noticed_s: float  # the sound that was accepted when the beginning was noticed
    noticed_at_s: float

    @property
    def began_at_s(self) -> float:
        """When the voice began, where sound is accepted as it is spoken."""
        return self.noticed_at_s - (self.noticed_s - self.began_s)


@dataclass(frozen=True, slots=True)
class SpeechLasted:
    """The voice goes on, `lasting_s` after its beginning. Once in an utterance at most."""

    generation: int
    noticed_at_s: float


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The utterance takes no more sound. Its FinalText follows."""

    generation: int
    ended_s: float
    noticed_s: float
    noticed_at_s: float


@dataclass(frozen=True, slots=True)
class Listening:
    """The recogniser has taken the first sound of the utterance."""

    generation: int
    listening_at_s: float


@dataclass(frozen=True, slots=True)
class PartialText:
    """All words of the utterance so far. A later text may take words back."""

    generation: int
    text: str


@dataclass(frozen=True, slots=True)
class FinalText:
    """All words of an utterance that has ended; "" where no word was understood."""

    generation: int
    text: str
    audio_s: float  # sound of the utterance, with its prefix


@dataclass(frozen=True, slots=True)
class HearingFailed:
    """The utterance has no FinalText. The next utterance is heard."""

    generation: int
    code: FailureCode
    message: str


HearingEvent = (
    SpeechBegan | SpeechLasted | SpeechEnded | Listening | PartialText | FinalText | HearingFailed
)


@dataclass(frozen=True, slots=True)
class Aborted:
    """What an abort stopped. The times are None where no recogniser had such an utterance."""

    up_to: int
    aborted_at_s: float | None = None  # the recogniser has seen the abort
    freed_at_s: float | None = None  # the recogniser has dropped the utterance and is free


class Ears(Protocol):
    """The hearing of one call. Used by one event loop.

    An utterance is named by its generation: 1, 2, 3, … Each utterance ends with exactly one
    FinalText or HearingFailed, or by `clear`, `abort` or `aclose`. Nothing of an utterance that was
    cleared or aborted is delivered afterwards.
    """

    async def accept(self, sound: bytes) -> None:
        """Takes sound of any length in the call's format; half a sample is kept for the next call.
        Waits where more sound came than real time and than may wait for the recogniser. Events that
        the sound causes are in `events` when this returns, texts come later."""
        ...

    def events(self) -> AsyncIterator[HearingEvent]:
        """In order, until `aclose`. Has one consumer."""
        ...

    async def configure(self, sound: SoundFormat, turns: TurnDetection | None) -> int | None:
        """Holds for the sound that is accepted from now on. `turns` None: `commit` alone ends an
        utterance, and the first sound begins it (push to talk; no SpeechBegan, no SpeechEnded). An
        utterance that is open when `turns` changes is forgotten: returns its generation. Raises
        BadRequest."""
        ...

    async def commit(self) -> int | None:
        """Ends the open utterance now; its FinalText follows, without a SpeechEnded. A voice that
        goes on begins another one. Returns its generation, or None where no utterance is open."""
        ...

    async def clear(self) -> int | None:
        """Forgets the open utterance. A voice that goes on begins another one. Utterances that have
        ended still get their FinalText. Returns the generation, or None where no utterance is open.
        Events of it that are on their way may still come."""
        ...

    async def abort(self, up_to: int) -> Aborted:
        """Drops every utterance up to this generation, the open one too if it is among them.
        Returns when the recogniser is free. A barge-in drops what was heard before it:
        `abort(began.generation - 1)`."""
        ...

    async def aclose(self) -> None:
        """Frees everything. A second call changes nothing."""
        ...


class Hearing(Protocol):
    """Opens the hearing of calls."""

    async def open_call(self, sound: SoundFormat, turns: TurnDetection | None) -> Ears:
        """Raises BadRequest for a format that cannot be heard, Overloaded where all recognisers
        have calls."""
        ...

    async def aclose(self) -> None: ...
