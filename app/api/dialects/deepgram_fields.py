"""The query of a Deepgram request: what its fields are here. Pure.

Deepgram's name of a voice is its `model`. The fields about the vendor's own records (`mip_opt_out`,
`tag`) are ignored. `callback` is refused: this server answers, and calls nobody.
"""

import re
from collections.abc import Mapping, Sequence

from app.api.dialects.dialect import Opening
from app.api.dialects.values import language_of, number_of
from app.api.socket_messages import Start
from app.api.speech_request import parse
from app.audio.formats import FORMATS, AudioFormat, FormatName
from app.audio.vendor_formats import RawEncoding, VendorFormat, coded_format, raw_format, wav_format
from app.errors import BadRequest

BUFFER_MS = 1000  # text without an end that came before; Pipecat gives up after 3 s
_RAW: dict[str, RawEncoding] = {
    "linear16": "pcm_s16le",
    "mulaw": "pcm_mulaw",
    "alaw": "pcm_alaw",
}
_CODED: dict[str, FormatName] = {"mp3": "mp3", "opus": "opus", "flac": "flac", "aac": "aac"}
_RATES = {"linear16": 24_000, "opus": 48_000, "mp3": 22_050, "aac": 22_050, "flac": 48_000}
_TELEPHONE_RATE = 8000
_BIT_RATES = {"mp3": 48_000, "opus": 12_000}
_LANGUAGE = re.compile(r"(?:aura|flux)[\w-]*-([a-z]{2})")  # of a voice: aura-2-andromeda-en


def socket_opening(query: Mapping[str, str], voice: str, languages: Sequence[str]) -> Opening:
    """`voice` where the query names none. Raises BadRequest."""
    encoding = query.get("encoding", "linear16")
    if encoding not in _RAW:
        raise BadRequest(f"encoding: the value must be one of {', '.join(_RAW)}", param="encoding")
    sound = raw_format(_RAW[encoding], _rate(query, encoding))
    return _opening(query, voice, languages, sound)


def file_opening(query: Mapping[str, str], voice: str, languages: Sequence[str]) -> Opening:
    """Of the body of a POST. Raises BadRequest."""
    if query.get("callback"):
        raise BadRequest("callback: the answer to the request has the audio", param="callback")
    encoding = query.get("encoding", "mp3")
    rate = _rate(query, encoding)
    container = query.get("container", "wav" if encoding == "linear16" else "none")
    if encoding in _RAW:
        if container not in ("none", "wav"):
            raise BadRequest("container: the value must be none or wav", param="container")
        make = raw_format if container == "none" else wav_format
        return _opening(query, voice, languages, make(_RAW[encoding], rate))
    if encoding not in _CODED:
        known = ", ".join((*_RAW, *_CODED))
        raise BadRequest(f"encoding: the value must be one of {known}", param="encoding")
    return _opening(query, voice, languages, _coded(query, encoding, rate))


def _coded(query: Mapping[str, str], encoding: str, rate: int) -> VendorFormat:
    if encoding in ("mp3", "opus"):
        bit_rate = number_of(query.get("bit_rate"), "bit_rate", 4000, 650_000)
        bit_rate = _BIT_RATES[encoding] if bit_rate is None else bit_rate
        return coded_format("mp3" if encoding == "mp3" else "opus", rate, round(bit_rate))
    name = _CODED[encoding]
    audio: AudioFormat = FORMATS[name]
    return VendorFormat(name, audio, rate)


def _rate(query: Mapping[str, str], encoding: str) -> int:
    given = query.get("sample_rate")
    if given is None:
        return _RATES.get(encoding, _TELEPHONE_RATE)
    if not given.isascii() or not given.isdigit() or len(given) > 6:
        raise BadRequest("sample_rate: the value must be a number", param="sample_rate")
    return int(given)


def _opening(
    query: Mapping[str, str], voice: str, languages: Sequence[str], sound: VendorFormat
) -> Opening:
    name = query.get("model", "").strip() or voice
    spoken = _LANGUAGE.fullmatch(name.lower())
    start: dict[str, object] = {
        "type": "start",
        "context_id": "new",
        "voice": name,
        "response_format": sound.name,
        "sample_rate": sound.sample_rate,
        "speed": number_of(query.get("speed"), "speed", 0.25, 4.0),
        "language": language_of(spoken[1] if spoken else None, languages),
        "max_buffer_ms": BUFFER_MS,
    }
    return Opening(parse(Start, start), sound.audio, sound.silence)
