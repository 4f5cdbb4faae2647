"""What a request's fields mean to the served model, settled before any work is done.

Wrong values and values without effect are refused here. Knows nothing about transports.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

from app.api.admission import Ticket
from app.api.model_names import ModelNames
from app.api.pronunciation_fields import MAX_REQUEST_BYTES
from app.api.speech_request import SpeechOptionFields
from app.audio.formats import FORMATS, AudioFormat, FormatName
from app.auth.api_keys import Caller
from app.config import Limits, StartMode
from app.core import SamplingParams, SessionKey, SynthesisRequest, VoiceRef
from app.errors import BadRequest, UnsupportedField
from app.key_settings import Quota
from app.model_card import ModelCard
from app.sessions.word_clock import SoundClock, WordClock
from app.text.duration import chars_within, predicted_s
from app.text.plan import SpokenText, TextRules, plan_text
from app.text.pronunciations import Pronunciation, merged
from app.text.takes import Take

MAX_CHAR_BYTES = 12  # of a character in a JSON body: "\ud83d\ude42" at worst
OTHER_FIELDS_BYTES = 16_384 + MAX_REQUEST_BYTES  # of a request body, beside its text
SILENCE_S = 0.2  # said of a text that has no word, where that is no error
_SAMPLING = {field.name for field in fields(SamplingParams)} & set(SpeechOptionFields.model_fields)


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """How the texts of one caller are spoken."""

    caller: Caller
    voice: VoiceRef
    rules: TextRules
    sampling: SamplingParams
    format_name: FormatName
    sample_rate: int
    speed: float
    allows_silence: bool = False  # a text without a word is a short silence
    sound: AudioFormat | None = None  # of a dialect; None: the format of the name

    @property
    def format(self) -> AudioFormat:
        return self.sound or FORMATS[self.format_name]

    @property
    def delay_s(self) -> float:
        """Silence that a decoder gives before the first sample."""
        return self.format.delay_s(self.sample_rate)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a text stands in what its caller sent: in the text, and in the stream of its sound."""

    text: str
    take: Take
    begins_s: float = 0.0  # the sound before it, as it is heard


@dataclass(frozen=True, slots=True)
class SpeechJob:
    """A text that can be spoken."""

    request: SynthesisRequest
    text: SpokenText
    options: SpeechOptions
    words: WordClock  # follows the session's sound
    ticket: Ticket | None = None  # of a caller who was admitted before the session began

    @property
    def predicted_s(self) -> float:
        return predicted_s(self.text.num_chars)

    def paced(self, *, is_held: bool, lead_s: float = 0.0) -> "SpeechJob":
        """The same job for a listener who plays it as it comes: the sound is sent little faster
        than it plays. `is_held` and `lead_s`: as in SynthesisRequest."""
        request = replace(self.request, is_paced=True, is_held=is_held, lead_s=lead_s)
        return replace(self, request=request)

    def in_voice(self, voice: VoiceRef, ticket: Ticket) -> "SpeechJob":
        """The same job in a voice that was made after the job was planned. The request counts as
        received once the voice is there."""
        request = replace(self.request, voice=voice, received_s=time.monotonic())
        return replace(self, request=request, ticket=ticket)


class SpeechPlanner:
    """Turns fields into options and a text into a job, each once."""

    def __init__(
        self,
        card: Callable[[], ModelCard],
        limits: Limits,
        model_aliases: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Raises ConfigError for an alias of another model."""
        self.models = ModelNames(card, model_aliases)
        self._card = card
        self._limits = limits

    @property
    def max_body_bytes(self) -> int:
        """The most that a body with a text can have, without a recording."""
        return self._limits.max_text_chars * MAX_CHAR_BYTES + OTHER_FIELDS_BYTES

    @property
    def fills_gaps(self) -> bool:
        """Whether our own streams over HTTP get silence where sound is late: an agent's client
        gives up."""
        return self._limits.profile == "agents"

    def is_held(self, start: StartMode | None) -> bool:
        """Whether a stream's first sound waits until the rest follows without a gap."""
        return (start or self._limits.start) == "smooth"

    def options(
        self,
        fields: SpeechOptionFields,
        voice: VoiceRef,
        caller: Caller,
        *,
        default_format: FormatName = "mp3",
        kept: Sequence[Pronunciation] = (),
        is_part: bool = False,
    ) -> SpeechOptions:
        """`kept` are the pronunciations of the voice and of the tenant. `is_part`: the text may be
        one sentence of a reply. Raises BadRequest for a value that this model or this caller cannot
        have."""
        card = self._card()
        _refuse_fields_without_effect(fields, card)
        format_name = fields.response_format or default_format
        return SpeechOptions(
            caller,
            voice,
            self._rules(fields, card, kept),
            _sampling(fields, card, caller.quota),
            format_name,
            _sample_rate(fields, format_name),
            1.0 if fields.speed is None else float(fields.speed),
            is_part and self._limits.nothing_to_speak == "silence",
        )

    def _rules(
        self, fields: SpeechOptionFields, card: ModelCard, kept: Sequence[Pronunciation]
    ) -> TextRules:
        """The pronunciations of the request come before those that are kept."""
        return TextRules(
            language=_language(fields, card),
            normalise=fields.normalise or "auto",
            strip_markdown=bool(fields.strip_markdown),
            strip_emoji=bool(fields.strip_emoji),
            pronunciations=(*merged(each.entry for each in fields.pronunciations or ()), *kept),
            max_segment_chars=_max_segment_chars(card, self._limits),
            characters=card.characters,
            folds_characters=card.folds_characters,
            tags=card.tags,
        )

    async def job(
        self, text: str, options: SpeechOptions, session_id: str, source: Source | None = None
    ) -> SpeechJob:
        """`source`: None where the text is all that its caller sent. Raises the errors of
        `plan`."""
        spoken = await self.plan(text, options)
        key = SessionKey(options.caller.tenant, session_id)
        request = SynthesisRequest(
            key,
            spoken.segments,
            options.voice,
            options.sampling,
            options.rules.language,
            speed=options.speed,
            pauses_s=spoken.pauses_s,
            words=spoken.spans,
        )
        words = _word_clock(spoken, options, source or Source(text, Take.whole(text)))
        return SpeechJob(request, spoken, options, words)

    async def plan(self, text: str, options: SpeechOptions) -> SpokenText:
        """Raises BadRequest for a text that is too long, has nothing to speak, or has markup or
        characters that cannot be read.

        The text is read on another thread: a long one takes tens of milliseconds, in which no other
        stream of this process would move."""
        return await asyncio.to_thread(self._plan, text, options)

    def _plan(self, text: str, options: SpeechOptions) -> SpokenText:
        limit = self._limits.max_text_chars
        limit = min(limit, options.caller.quota.max_text_chars or limit)
        if len(text) > limit:
            raise BadRequest(
                f"input: the text has {len(text)} characters; at most {limit} are allowed",
                param="input",
                code="string_above_max_length",
            )
        spoken = plan_text(text, options.rules)
        if not spoken.segments and options.allows_silence and text.strip():
            return replace(spoken, pauses_s=(max(SILENCE_S, sum(spoken.pauses_s)),))
        if not spoken.segments:
            message = "input: the text has no letter or digit, so there is nothing to speak"
            raise BadRequest(message, param="input", code="empty_input")
        return spoken


def _word_clock(spoken: SpokenText, options: SpeechOptions, source: Source) -> WordClock:
    span = source.take.span
    places = tuple(tuple(span(each.start, each.end) for each in words) for words in spoken.words)
    clock = SoundClock(spoken.pauses_s, options.speed, options.delay_s, source.begins_s)
    return WordClock(source.text, places, clock)


def _sample_rate(fields: SpeechOptionFields, format_name: FormatName) -> int:
    audio_format = FORMATS[format_name]
    rate = fields.sample_rate or audio_format.default_rate
    if rate not in audio_format.sample_rates:
        allowed = ", ".join(map(str, audio_format.sample_rates))
        message = f"sample_rate: {format_name} allows {allowed}"
        raise BadRequest(message, param="sample_rate")
    return rate


def _refuse_fields_without_effect(fields: SpeechOptionFields, card: ModelCard) -> None:
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


def _max_segment_chars(card: ModelCard, limits: Limits) -> int:
    most = min(card.max_segment_chars, limits.max_segment_chars)
    return most if card.max_segment_s is None else min(most, chars_within(card.max_segment_s))


def _sampling(fields: SpeechOptionFields, card: ModelCard, quota: Quota) -> SamplingParams:
    """The model's defaults, changed by the request's fields. The seed is always set."""
    limit = min(card.defaults.max_tokens, quota.max_tokens or card.defaults.max_tokens)
    if fields.max_tokens is not None and fields.max_tokens > limit:
        message = f"max_tokens: at most {limit} are allowed for each segment of the text"
        raise BadRequest(message, param="max_tokens")
    given = fields.model_dump(include=_SAMPLING, exclude_none=True)
    return replace(card.defaults, **{"seed": secrets.randbits(32), "max_tokens": limit, **given})
