"""The fields of a speech request in a body or a message: their types and ranges.

The fields are OpenAI's and ours. Each has an effect, or the request is refused with the name of the
field, because the field is unknown, its value is wrong, or it has no effect on this model
(app/api/speech_job.py). The fields of app/api/other_servers.py alone are accepted without an
effect. A field that is `null` counts as absent.
"""

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from app.api.other_servers import OtherServersFields
from app.api.pronunciation_fields import RequestList
from app.audio.formats import FormatName
from app.config import StartMode
from app.errors import BadRequest, UnknownField
from app.text.plan import Normalise

FieldsT = TypeVar("FieldsT", bound=BaseModel)

MAX_PLAYED_MS = 1e9  # twelve days
_VALUE_ERROR = "Value error, "  # pydantic's prefix of our own messages


def _voice_id(value: object) -> object:
    if not isinstance(value, dict):
        return value
    if value.keys() != {"id"}:
        raise ValueError("a voice object must have exactly one key, 'id'")
    return value["id"]


VoiceField = Annotated[
    str,
    BeforeValidator(_voice_id),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"id": {"type": "string"}},
                    "required": ["id"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


def _folded(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


FormatField = Annotated[FormatName, BeforeValidator(_folded)]


class SpeechOptionFields(BaseModel):
    """How a text is spoken. The model has a default for every field."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    response_format: FormatField | None = Field(None, description="format of the audio")
    sample_rate: int | None = Field(None, ge=8000, le=48_000, description="Hz")
    speed: float | None = Field(
        None, ge=0.25, le=4, description="factor of the tempo; the pitch stays"
    )
    instructions: str | None = Field(None, description="refused: no model here follows them")
    language: str | None = Field(None, description="of the text; for a multilingual model only")
    strip_markdown: bool | None = Field(
        None, description="remove Markdown and speak the words; reasoning in <think> is left out"
    )
    strip_emoji: bool | None = Field(None, description="remove emoji")
    normalise: Normalise | None = Field(
        None,
        description="auto, on: numbers, dates, money and the like are said in words, as far as "
        "the language has rules for them; off: as written",
    )
    pronunciations: RequestList | None = Field(
        None, description="terms that are said otherwise, before those that the tenant keeps"
    )
    exaggeration: float | None = Field(None, ge=0, le=2, description="how lively the voice is")
    cfg_weight: float | None = Field(
        None, ge=0, le=1, description="how strongly the text guides; 0 takes half of the work"
    )
    temperature: float | None = Field(
        None, ge=0, le=5, description="how freely tokens are drawn; 0: always the likeliest"
    )
    top_p: float | None = Field(
        None, gt=0, le=1, description="draw from the likeliest tokens up to this sum; 1: off"
    )
    min_p: float | None = Field(
        None, ge=0, le=1, description="drop tokens below this share of the likeliest; 0: off"
    )
    top_k: int | None = Field(
        None, ge=0, le=10_000, description="draw from this number of tokens; 0: off"
    )
    repetition_penalty: float | None = Field(
        None, ge=1, le=10, description="makes tokens that were drawn less likely; 1: off"
    )
    seed: int | None = Field(None, ge=0, lt=2**63, description="the same seed gives the same sound")
    max_tokens: int | None = Field(None, ge=1, description="per segment; 25 tokens are a second")


class StreamOptionFields(SpeechOptionFields):
    """The same for speech that is played as it comes."""

    timestamps: Literal["word"] | None = Field(
        None, description="word: tell when each word sounds, before or with its sound"
    )
    start: StartMode | None = Field(
        None,
        description="smooth: the first sound is held until the rest follows without a gap; "
        "soonest: it is sent at once, and X-Prebuffer-Ms says how long the player should wait",
    )


class SpeechFields(OtherServersFields, StreamOptionFields):
    """The body of POST /v1/audio/speech."""

    model: str = Field(description="a name that GET /v1/models lists")
    input: str = Field(description="the text")
    voice: VoiceField | None = Field(None, description='a name, an id, or {"id": ...}')
    reference_audio: str | None = Field(
        None,
        description="a recording instead of a voice, in base64 or as a data URI; it may be what an "
        "upload may be",
    )
    stream_format: Literal["audio", "sse"] | None = Field(
        None, description="audio: raw bytes; sse: server-sent events with base64"
    )
    stream: bool | None = Field(None, description="false: one file with its true length")


PlayedMs = Annotated[
    float | None,
    Field(
        ge=0,
        le=MAX_PLAYED_MS,
        allow_inf_nan=False,
        description="how much of the sound the player has played, by its own clock, in ms of the "
        "decoded sound; absent: all that was sent",
    ),
]


class CancelFields(BaseModel):
    """The body of a cancel."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    played_ms: PlayedMs = None


def parse(kind: type[FieldsT], body: dict[str, object]) -> FieldsT:
    """Raises UnknownField, or BadRequest for the first wrong field."""
    for name in body:
        if name not in kind.model_fields:
            raise UnknownField(f"unknown field {name[:64]!r}", param=name[:64])
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field, *within = first["loc"]
        place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in within)
        message = f"{field}{place}: {first['msg'].removeprefix(_VALUE_ERROR)}"
        raise BadRequest(message, param=str(field)) from None
