"""The bodies of JSON answers. The nouns of app/core.py that a client sees are sent as they are; the
others are here. Their names are those of the OpenAPI document."""

from typing import Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from app.core import CancelAck, CancelState, Health, SessionReport
from app.spoken_words import SpokenWord
from app.voices.speech_activity import Warning


def _is_none(value: object) -> bool:
    return value is None


class Body(BaseModel, frozen=True):
    """A field is in every answer, but for those with `exclude_if`."""


class ServerName(Body):
    name: str = "chatterbox-serve"
    speech: str = Field("/v1/audio/speech", description="the path of the speech route")


class Model(Body):
    """In OpenAI's shape, with `family` and `languages` beside."""

    id: str = Field(description="the value of `model` in a request")
    object: Literal["model"] = "model"
    created: int = Field(description="Unix time of this server's start")
    owned_by: str = "chatterbox-serve"
    name: str = Field(description="the same as `id`")
    aliases: tuple[str, ...] = Field(description="other values of `model` that mean it")
    family: str = Field(description="english, multilingual or turbo")
    languages: tuple[str, ...] = Field(
        description="values of `language`; empty: the field is refused"
    )
    tags: tuple[str, ...] = Field(
        description="what the model acts where it stands in brackets in a text, such as laugh"
    )
    realtime: bool | None = Field(
        None,
        description="whether a lone stream's sound is made faster than it plays; null: not known",
    )
    hears: bool = Field(description="whether this server hears: `/v1/realtime` is served")


class ModelList(Body):
    object: Literal["list"] = "list"
    data: tuple[Model, ...]


class AudioModelList(ModelList):
    models: tuple[Model, ...] = Field(description="the same as `data`")


class ModelState(Body):
    model: str
    family: str | SkipJsonSchema[None] = Field(None, exclude_if=_is_none)
    loaded: bool


class HeardRecording(Body):
    """Levels are root mean squares in dB relative to full scale, before the level is changed."""

    speech_s: float = Field(description="seconds of speech, with short pauses")
    level_dbfs: float = Field(description="level of the speech")
    noise_dbfs: float | None = Field(
        description="estimated level of the noise, from the pauses; null: there are too few"
    )
    clipped_share: float = Field(description="samples at full scale, 0 to 1")
    warnings: tuple[Warning, ...] = Field(
        description="what may make a worse voice. clipped: recorded too loud; noisy: the noise is "
        "less than 15 dB below the speech; quiet: recorded too quietly; sparse: long pauses; echo: "
        "a room with a long decay; several_voices: two pitches, far apart"
    )
    decay_s: float | None = Field(
        description="seconds in which the sound of the room falls by 60 dB, estimated where speech "
        "ends; null: it could not be"
    )


class Voice(Body):
    object: Literal["audio.voice"] = "audio.voice"
    id: str
    voice_id: str = Field(description="the same as `id`")
    name: str
    category: Literal["premade", "cloned"] = Field(description="cloned: made by a caller")
    aliases: tuple[str, ...]
    created_at: int | SkipJsonSchema[None] = Field(
        None, exclude_if=_is_none, description="Unix time; of a caller's voice"
    )
    seconds: float | SkipJsonSchema[None] = Field(
        None,
        exclude_if=_is_none,
        description="length of the recording from its first to its last word; of a caller's voice",
    )
    heard: HeardRecording | SkipJsonSchema[None] = Field(
        None, exclude_if=_is_none, description="what was heard in it; of a caller's voice"
    )


class VoiceList(Body):
    object: Literal["list"] = "list"
    voices: tuple[Voice, ...]
    data: tuple[Voice, ...] = Field(description="the same as `voices`")


class DeletedVoice(Body):
    object: Literal["audio.voice"] = "audio.voice"
    id: str
    deleted: Literal[True] = True


class PronunciationEntry(Body):
    term: str
    say: str
    language: str | None = Field(description="of the texts in which it counts; null: all")
    case_sensitive: bool


class PronunciationList(Body):
    voice: str | None = Field(description="the id of the voice; null: every voice of the tenant")
    pronunciations: tuple[PronunciationEntry, ...]


class PlannedWord(Body):
    """`start` and `end`: the place in the request's `input` that it came from."""

    text: str
    start: int
    end: int


class PlannedSegment(Body):
    text: str = Field(description="what the model gets, before its own punctuation rules")
    pause_before_s: float
    words: tuple[PlannedWord, ...]


class DroppedText(Body):
    text: str
    start: int
    end: int
    reason: str = Field(description="emoji, unreadable, tag or reasoning")


class SpeechPlan(Body):
    segments: tuple[PlannedSegment, ...]
    pause_after_s: float
    dropped: tuple[DroppedText, ...]
    dropped_characters: int


class SessionWords(Body):
    session_id: str
    words: tuple[SpokenWord, ...] = Field(
        description="in the caller's spelling and order; times are those of the decoded sound"
    )
    estimated: bool = Field(description="a time was spread by the length of the text")
    audio_ms: float = Field(description="of the sound that was sent")


class StopCounts(Body):
    stopped: int = Field(description="sessions that have stopped")
    stopping: int = Field(description="sessions that are told to stop and have not confirmed yet")


class StoppedSession(Body):
    session_id: str
    state: CancelState


class StoppedSessions(Body):
    stopped: tuple[StoppedSession, ...]


class Speaking(Body):
    is_speaking: bool
    sessions: int = Field(description="live sessions of the caller's tenant")


BODIES: tuple[type, ...] = (
    *(CancelAck, Health, SessionReport),
    *(ServerName, Model, ModelList, AudioModelList, ModelState),
    *(HeardRecording, Voice, VoiceList, DeletedVoice),
    *(PronunciationEntry, PronunciationList),
    *(PlannedWord, PlannedSegment, DroppedText, SpeechPlan),
    *(SessionWords, StopCounts, StoppedSessions, Speaking),
)
