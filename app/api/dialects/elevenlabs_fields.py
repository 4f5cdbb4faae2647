"""The query, the settings and the formats of an ElevenLabs request: what they are here. Pure.

Values without an effect here are ignored, because clients send them for all models alike:
`stability`, `similarity_boost`, `style`, `use_speaker_boost`, `chunk_length_schedule`,
`optimize_streaming_latency`, `enable_logging`, `enable_ssml_parsing` (SSML is always read),
`inactivity_timeout` (sockets.idle_s counts), `previous_text`, pronunciation dictionaries.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.api.dialects.dialect import Opening
from app.api.dialects.values import language_of, number_of
from app.api.socket_messages import Start
from app.api.speech_request import parse
from app.audio.vendor_formats import (
    RawEncoding,
    VendorFormat,
    coded_format,
    raw_format,
    wav_format,
)
from app.errors import BadRequest

DEFAULT_FORMAT = "mp3_44100_128"
BUFFER_MS = 1000  # of a client that does not send whole sentences
_RAW: dict[str, RawEncoding] = {
    "pcm": "pcm_s16le",
    "ulaw": "pcm_mulaw",
    "alaw": "pcm_alaw",
}
_FORMAT = re.compile(r"(mp3|opus|pcm|ulaw|alaw|wav)_(\d{4,5})(?:_(\d{1,3}))?")
_TRUE = ("true", "1")


@dataclass(frozen=True, slots=True)
class SocketQuery:
    """The path and the query of a socket."""

    voice: str
    model: str | None = None
    output_format: str = DEFAULT_FORMAT
    language: str | None = None
    normalisation: str | None = None
    seed: str | None = None
    is_synced: bool = False  # times of all alignments count from the context's start
    has_whole_sentences: bool = False

    @staticmethod
    def of(voice: str, query: Mapping[str, str]) -> "SocketQuery":
        return SocketQuery(
            voice,
            query.get("model_id") or None,
            query.get("output_format") or DEFAULT_FORMAT,
            query.get("language_code"),
            query.get("apply_text_normalization"),
            query.get("seed"),
            is_synced=query.get("sync_alignment", "").lower() in _TRUE,
            has_whole_sentences=query.get("auto_mode", "").lower() in _TRUE,
        )


def opening_of(
    query: SocketQuery, settings: Mapping[str, object], context_id: str, languages: Sequence[str]
) -> Opening:
    """`settings`: the field `voice_settings`. Raises BadRequest."""
    sound = format_of(query.output_format)
    seed = number_of(query.seed, "seed", 0, 2**32 - 1)
    start: dict[str, object] = {
        "type": "start",
        "context_id": context_id,
        "voice": query.voice,
        "model": query.model,
        "response_format": sound.name,
        "sample_rate": sound.sample_rate,
        "speed": number_of(settings.get("speed"), "voice_settings", 0.25, 4.0),
        "language": language_of(query.language, languages),
        "normalise": {"off": "off", "on": "on"}.get(query.normalisation or ""),
        "seed": None if seed is None else int(seed),
        "timestamps": "word",
        "max_buffer_ms": 0 if query.has_whole_sentences else BUFFER_MS,
    }
    return Opening(parse(Start, start), sound.audio, sound.silence)


def format_of(name: str) -> VendorFormat:
    """Of a name as `pcm_24000`, `mp3_44100_128` or `opus_48000_64`. Raises BadRequest."""
    match = _FORMAT.fullmatch(name)
    if match is None:
        message = "output_format: send one as pcm_24000, mp3_44100_128, ulaw_8000 or opus_48000_64"
        raise BadRequest(message, param="output_format")
    kind, rate, kbit = match[1], int(match[2]), match[3]
    if kind == "wav":
        return wav_format("pcm_s16le", rate)
    if kind in _RAW:
        return raw_format(_RAW[kind], rate)
    bit_rate = min(max(int(kbit or 64), 8), 320) * 1000
    return coded_format("mp3" if kind == "mp3" else "opus", rate, bit_rate)
