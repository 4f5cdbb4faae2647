"""The fields of a Cartesia request: what they are here. Pure.

A field that has no effect here is ignored, because clients send fields for all models alike:
`emotion`, `pronunciation_dict_id`, `add_phoneme_timestamps`, `use_normalized_timestamps`, `save`.
A value that would change what is heard, and cannot, is refused: a voice by embedding, a language
that the model does not speak, a format that is not made.
"""

from collections.abc import Sequence
from typing import Any, cast, get_args

from app.api.dialects.dialect import Opening
from app.api.dialects.values import flag_of, language_of, number_of, object_of, text_of
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

BUFFER_MS = 1000  # Cartesia's own default, 3,000, is the time after which Pipecat gives up
MAX_BUFFER_MS = 2500  # a filler goes out meanwhile (app/api/gaps.py)
_SPEEDS = {"slowest": 0.7, "slow": 0.85, "normal": 1.0, "fast": 1.15, "fastest": 1.3}
_DEFAULT_RATE = 24_000
_MP3_BIT_RATE = 128_000


def opening_of(body: dict[str, object], context_id: str, languages: Sequence[str]) -> Opening:
    """Raises BadRequest."""
    config = object_of(body, "generation_config")
    sound = _format_of(object_of(body, "output_format"))
    volume = number_of(config.get("volume"), "generation_config", 0.1, 4.0)
    sound = sound if volume is None else sound.louder(volume)
    start: dict[str, object] = {
        "type": "start",
        "context_id": context_id,
        "voice": _voice_of(body.get("voice")),
        "model": text_of(body, "model_id") or None,
        "response_format": sound.name,
        "sample_rate": sound.sample_rate,
        "speed": _speed_of(body, config),
        "language": language_of(text_of(body, "language") or text_of(body, "locale"), languages),
        "normalise": "off" if body.get("normalization") == "off" else None,
        "timestamps": "word" if flag_of(body, "add_timestamps") else None,
        "max_buffer_ms": _buffer_ms_of(body.get("max_buffer_delay_ms")),
    }
    return Opening(parse(Start, start), sound.audio, sound.silence)


def _voice_of(voice: Any) -> str:
    if isinstance(voice, dict):
        if voice.get("mode", "id") != "id":
            raise BadRequest("voice: a voice is named by its id; send mode id", param="voice")
        voice = voice.get("id")
    if not isinstance(voice, str) or not voice.strip():
        raise BadRequest("voice: the id of a voice is missing", param="voice")
    return voice


def _speed_of(body: dict[str, object], config: dict[str, object]) -> float | None:
    """A number in `generation_config`, or a word in `speed` or in the controls of earlier
    versions."""
    controls: dict[str, object] = {}
    if isinstance(voice := body.get("voice"), dict):
        controls = object_of(voice, "__experimental_controls")
    for given in (config.get("speed"), body.get("speed"), controls.get("speed")):
        if isinstance(given, str) and given in _SPEEDS:
            return _SPEEDS[given]
    for given in (config.get("speed"), body.get("speed")):
        if (speed := number_of(given, "speed", 0.25, 4.0)) is not None:
            return speed
    offset = number_of(controls.get("speed"), "speed", -1.0, 1.0)  # from the voice's own speed
    return None if offset is None else 1 + (_SPEEDS["fastest"] - 1) * offset


def _buffer_ms_of(given: Any) -> int:
    buffer_ms = number_of(given, "max_buffer_delay_ms", 0, MAX_BUFFER_MS)
    return BUFFER_MS if buffer_ms is None else round(buffer_ms)


def _format_of(given: dict[str, object]) -> VendorFormat:
    container = given.get("container", "raw")
    rate = given.get("sample_rate", _DEFAULT_RATE)
    if not isinstance(rate, int) or isinstance(rate, bool):
        raise BadRequest("output_format: sample_rate must be a number", param="output_format")
    if container == "mp3":
        bit_rate = number_of(given.get("bit_rate"), "output_format", 8000, 320_000)
        return coded_format("mp3", rate, round(bit_rate or _MP3_BIT_RATE))
    encoding = given.get("encoding", "pcm_s16le")
    if container not in ("raw", "wav") or encoding not in get_args(RawEncoding):
        known = ", ".join(get_args(RawEncoding))
        message = f"output_format: container must be raw, wav or mp3, and encoding {known}"
        raise BadRequest(message, param="output_format")
    make = raw_format if container == "raw" else wav_format
    return make(cast(RawEncoding, encoding), rate)
