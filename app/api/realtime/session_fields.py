"""The session object of OpenAI's Realtime API: what a client may set, and what it is told.

OpenAI's fields that have no effect here are accepted: agent frameworks send them always
(docs/realtime.md lists them). Pure.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.errors import BadRequest

FieldsT = TypeVar("FieldsT", bound=BaseModel)

MAX_INSTRUCTIONS_CHARS = 100_000
MAX_TOOLS = 128
_MERGED = ("session", "session.audio", "session.audio.input", "session.audio.output")


class _Fields(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class PcmFormat(_Fields):
    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[8000, 16_000, 24_000, 48_000] = 24_000


class TelephoneFormat(_Fields):
    type: Literal["audio/pcmu", "audio/pcma"]


Format = Annotated[PcmFormat | TelephoneFormat, Field(discriminator="type")]


class ServerVad(_Fields):
    type: Literal["server_vad"] = "server_vad"
    threshold: float | None = Field(None, ge=0, le=1)
    prefix_padding_ms: int | None = Field(None, ge=0, le=5000)
    silence_duration_ms: int | None = Field(None, ge=50, le=10_000)
    create_response: bool | None = None
    interrupt_response: bool | None = None


class SemanticVad(_Fields):
    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


def _none_if_false(value: object) -> object:
    return None if value is False else value


TurnFields = Annotated[
    Annotated[ServerVad | SemanticVad, Field(discriminator="type")] | None,
    BeforeValidator(_none_if_false),
]


class Transcription(_Fields):
    """The recogniser is the server's: `model` and `prompt` have no effect."""

    model: str | None = None
    language: str | None = None
    prompt: str | None = None


class AudioInput(_Fields):
    format: Format = PcmFormat()
    transcription: Transcription | None = None
    turn_detection: TurnFields = ServerVad()
    noise_reduction: dict[str, Any] | None = None  # without effect


class AudioOutput(_Fields):
    format: Format = PcmFormat()
    voice: str | dict[str, Any] | None = None
    speed: float = Field(1.0, ge=0.25, le=4)


class Audio(_Fields):
    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


class FunctionTool(_Fields):
    type: Literal["function"] = "function"
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None


class NamedChoice(_Fields):
    type: Literal["function"]
    name: str


Choice = Literal["auto", "none", "required"] | NamedChoice
Modalities = tuple[Literal["audio", "text"], ...]
MaxTokens = Annotated[int, Field(ge=1, le=100_000)] | Literal["inf"] | None


class SessionFields(_Fields):
    type: Literal["realtime"] = "realtime"
    instructions: str = Field("", max_length=MAX_INSTRUCTIONS_CHARS)
    output_modalities: Modalities = Field(("audio",), min_length=1, max_length=2)
    audio: Audio = Audio()
    tools: tuple[FunctionTool, ...] = Field((), max_length=MAX_TOOLS)
    tool_choice: Choice = "auto"
    max_output_tokens: MaxTokens = "inf"


def updated(session: SessionFields, given: Mapping[str, Any]) -> SessionFields:
    """The session with the fields that are given. A null is the default. Raises BadRequest."""
    merged = _merged(session.model_dump(mode="json"), given, "session")
    return checked(SessionFields, merged, "session")


def _merged(known: dict[str, Any], given: Mapping[str, Any], path: str) -> dict[str, Any]:
    merged = dict(known)
    for name, value in given.items():
        within = f"{path}.{name}"
        if within in _MERGED and isinstance(value, Mapping):
            merged[name] = _merged(known.get(name) or {}, value, within)
        elif value is None and name != "turn_detection":
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged


def checked(kind: type[FieldsT], given: object, path: str) -> FieldsT:
    """Raises BadRequest, which names the first wrong field."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in (path, *first["loc"]) if part)
        raise BadRequest(f"{place}: {first['msg']}", param=place) from None
