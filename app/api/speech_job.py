"""What the fields of a request mean to the served model: refused here, or nothing about them is
left to refuse. Knows nothing about transports."""

import secrets
from dataclasses import dataclass, replace

from app.api.admission import Ticket
from app.api.speech_request import SpeechFields, SpeechOptionFields
from app.audio.formats import FORMATS, AudioFormat, FormatName
from app.auth.api_keys import Caller
from app.config import Limits, Quota
from app.core import ModelCard, SamplingParams, SessionKey, SynthesisRequest
from app.errors import BadRequest, NotFound, UnsupportedField
from app.text.markup import Script, script, without_emoji, without_markdown


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """How a text is to be spoken."""

    voice: str  # as the stages call it
    language: str | None
    sampling: SamplingParams
    format_name: FormatName
    sample_rate: int
    speed: float
    strip_markdown: bool
    strip_emoji: bool
    max_segment_chars: int

    @property
    def format(self) -> AudioFormat:
        return FORMATS[self.format_name]


@dataclass(frozen=True, slots=True)
class SpeechJob:
    """A text that may be spoken."""

    request: SynthesisRequest
    script: Script
    options: SpeechOptions
    caller: Caller
    ticket: Ticket | None = None  # of a caller who was admitted before the job could be made


def check_model(name: str, card: ModelCard) -> None:
    if name != card.name:
        message = f"model {name[:64]!r} is not served here"
        raise NotFound(message, param="model", code="model_not_found")


def is_whole(fields: SpeechFields) -> bool:
    """Whether one file was asked for, rather than a stream."""
    if fields.stream is False and fields.stream_format == "sse":
        raise BadRequest("stream: server-sent events are always a stream", param="stream")
    return fields.stream is False


def resolve_options(
    fields: SpeechOptionFields,
    card: ModelCard,
    voice: str,
    limits: Limits,
    caller: Caller,
    *,
    default_format: FormatName = "mp3",
) -> SpeechOptions:
    _refuse_what_cannot_act(fields, card)
    format_name = fields.response_format or default_format
    return SpeechOptions(
        voice,
        _language(fields, card),
        _sampling(fields, card, caller.quota),
        format_name,
        _sample_rate(fields, format_name),
        1.0 if fields.speed is None else float(fields.speed),
        bool(fields.strip_markdown),
        bool(fields.strip_emoji),
        min(card.max_segment_chars, limits.max_segment_chars),
    )


def build_job(
    text: str, options: SpeechOptions, caller: Caller, session_id: str, limits: Limits
) -> SpeechJob:
    """Raises BadRequest where the text is too long, or has nothing to speak."""
    most = min(limits.max_text_chars, caller.quota.max_text_chars or limits.max_text_chars)
    if len(text) > most:
        raise BadRequest(
            f"input: {len(text)} characters; at most {most} are allowed",
            param="input",
            code="string_above_max_length",
        )
    if options.strip_markdown:
        text = without_markdown(text)
    if options.strip_emoji:
        text = without_emoji(text)
    spoken = script(text, options.language, options.max_segment_chars)
    if not spoken.segments:
        message = "input: there is nothing to speak; it has no letter or digit"
        raise BadRequest(message, param="input", code="empty_input")
    key = SessionKey(caller.tenant, session_id)
    request = SynthesisRequest(
        key, spoken.segments, options.voice, options.sampling, options.language
    )
    return SpeechJob(request, spoken, options, caller)


def paced(job: SpeechJob) -> SpeechJob:
    """Handed on no faster than it plays, but for a few seconds. Who plays it faster than that must
    not wait for its pace."""
    return replace(job, request=replace(job.request, is_paced=job.options.speed <= 1))


def _sample_rate(fields: SpeechOptionFields, format_name: FormatName) -> int:
    audio_format = FORMATS[format_name]
    rate = fields.sample_rate or audio_format.default_rate
    if rate not in audio_format.sample_rates:
        served = ", ".join(map(str, audio_format.sample_rates))
        raise BadRequest(f"sample_rate: {format_name} has {served}", param="sample_rate")
    return rate


def _refuse_what_cannot_act(fields: SpeechOptionFields, card: ModelCard) -> None:
    missing: list[str] = []
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


def _language(fields: SpeechOptionFields, card: ModelCard) -> str | None:
    if not card.languages:
        return None
    if fields.language is None:
        return "en" if "en" in card.languages else card.languages[0]
    if fields.language not in card.languages:
        served = ", ".join(card.languages)
        raise BadRequest(f"language: the model speaks {served}", param="language")
    return fields.language


def _sampling(fields: SpeechOptionFields, card: ModelCard, quota: Quota) -> SamplingParams:
    """The model's defaults with what the request says, and a seed in any case."""
    limit = min(card.defaults.max_tokens, quota.max_tokens or card.defaults.max_tokens)
    if fields.max_tokens is not None and fields.max_tokens > limit:
        message = f"max_tokens: at most {limit}, for each segment of the text"
        raise BadRequest(message, param="max_tokens")
    given = fields.model_dump(include=_SAMPLING, exclude_none=True)
    return replace(card.defaults, **{"seed": secrets.randbits(32), "max_tokens": limit, **given})


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
