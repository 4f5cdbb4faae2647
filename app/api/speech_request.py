"""The body of POST /v1/audio/speech: its fields, and what they mean to the served model.

OpenAI's fields and ours. A field is unknown (refused by name), wrong (named), known but without
effect on this model (refused by name), or it acts; none is ever ignored. `null` is absence.
"""

import secrets
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from app.audio import FORMATS, AudioFormat
from app.config import Limits
from app.core import ModelCard, SamplingParams, SessionKey, SynthesisRequest
from app.errors import BadRequest, NotFound, UnknownField, UnsupportedField
from app.text import segment

_VALUE_ERROR = "Value error, "  # pydantic's prefix to our own messages


def _voice_id(value: object) -> object:
    if not isinstance(value, dict):
        return value
    if value.keys() != {"id"}:
        raise ValueError("a voice object has exactly one key, 'id'")
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


class SpeechFields(BaseModel):
    """Types and ranges alone; defaults are the model's."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    model: str
    input: str
    voice: VoiceField
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] | None = None
    stream_format: Literal["audio", "sse"] | None = None
    speed: float | None = Field(None, ge=0.25, le=4)
    instructions: str | None = None
    stream: bool | None = Field(None, description="false: one whole file with its true length")
    language: str | None = None
    exaggeration: float | None = Field(None, ge=0, le=2)
    cfg_weight: float | None = Field(None, ge=0, le=1)
    temperature: float | None = Field(None, ge=0.01, le=5)
    top_p: float | None = Field(None, gt=0, le=1)
    min_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=0, le=10_000, description="0 is off")
    repetition_penalty: float | None = Field(None, ge=1, le=10)
    seed: int | None = Field(None, ge=0, lt=2**63)
    max_tokens: int | None = Field(None, ge=1, description="per segment; 25 are a second")


@dataclass(frozen=True, slots=True)
class SpeechJob:
    """A speech request that may start: nothing about it is left to refuse."""

    request: SynthesisRequest
    format: AudioFormat
    sse: bool
    whole: bool  # one file instead of a stream
    num_chars: int


def parse(body: dict[str, object]) -> SpeechFields:
    for name in body:
        if name not in SpeechFields.model_fields:
            raise UnknownField(f"unknown field {name[:64]!r}", param=name[:64])
    try:
        return SpeechFields.model_validate(body)
    except ValidationError as fault:
        first = fault.errors(include_url=False, include_input=False, include_context=False)[0]
        name = str(first["loc"][0])
        message = f"{name}: {first['msg'].removeprefix(_VALUE_ERROR)}"
        raise BadRequest(message, param=name) from None


def plan(fields: SpeechFields, card: ModelCard, limits: Limits, key: SessionKey) -> SpeechJob:
    if fields.model != card.name:
        message = f"model {fields.model[:64]!r} is not served here"
        raise NotFound(message, param="model", code="model_not_found")
    if fields.voice not in card.voices:
        message = f"there is no voice {fields.voice[:64]!r}"
        raise NotFound(message, param="voice", code="voice_not_found")
    whole = fields.stream is False
    sse = fields.stream_format == "sse"
    if whole and sse:
        raise BadRequest("stream: server-sent events are always a stream", param="stream")
    audio_format = _format(fields)
    _refuse_what_cannot_act(fields, card)
    segments = _segments(fields.input, _language(fields, card), card, limits)
    request = SynthesisRequest(
        key,
        segments,
        fields.voice,
        _sampling(fields, card),
        _language(fields, card),
        is_paced=not whole,
    )
    return SpeechJob(request, audio_format, sse, whole, sum(map(len, segments)))


def _format(fields: SpeechFields) -> AudioFormat:
    name = fields.response_format or "mp3"
    if name not in FORMATS:
        message = f"response_format: {name} is not served; {', '.join(FORMATS)} are"
        raise UnsupportedField(message, param="response_format")
    return FORMATS[name]


def _refuse_what_cannot_act(fields: SpeechFields, card: ModelCard) -> None:
    missing: list[str] = []
    if fields.speed not in (None, 1):
        missing.append("speed")
    if fields.instructions:
        missing.append("instructions")
    if not card.languages:
        missing.append("language")
    if not card.has_cfg:
        missing += ["exaggeration", "cfg_weight", "min_p"]
    if not card.has_top_k:
        missing.append("top_k")
    for name in missing:
        if getattr(fields, name) is not None:
            raise UnsupportedField(f"{name} has no effect on model {card.name!r}", param=name)


def _language(fields: SpeechFields, card: ModelCard) -> str | None:
    if not card.languages:
        return None
    if fields.language is None:
        return "en" if "en" in card.languages else card.languages[0]
    if fields.language not in card.languages:
        served = ", ".join(card.languages)
        raise BadRequest(f"language: the model speaks {served}", param="language")
    return fields.language


def _segments(text: str, language: str | None, card: ModelCard, limits: Limits) -> tuple[str, ...]:
    if len(text) > limits.max_text_chars:
        raise BadRequest(
            f"input: {len(text)} characters; at most {limits.max_text_chars} are allowed",
            param="input",
            code="string_above_max_length",
        )
    segments = segment(text, language, min(card.max_segment_chars, limits.max_segment_chars))
    if not segments:
        message = "input: there is nothing to speak; it has no letter or digit"
        raise BadRequest(message, param="input", code="empty_input")
    return segments


def _sampling(fields: SpeechFields, card: ModelCard) -> SamplingParams:
    """The model's defaults with what the request says, and a seed in any case."""
    limit = card.defaults.max_tokens
    if fields.max_tokens is not None and fields.max_tokens > limit:
        message = f"max_tokens: at most {limit}, for each segment of the text"
        raise BadRequest(message, param="max_tokens")
    given = fields.model_dump(include=_SAMPLING, exclude_none=True)
    return replace(card.defaults, **{"seed": secrets.randbits(32), **given})


_SAMPLING = {
    "temperature",
    "cfg_weight",
    "exaggeration",
    "min_p",
    "top_p",
    "top_k",
    "repetition_penalty",
    "max_tokens",
    "seed",
}
