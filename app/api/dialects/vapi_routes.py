"""Vapi's custom voice: `/vapi/speak`, the `server.url` of a voice with the provider `custom-voice`.

A request has the text and the rate; the answer is raw samples of 16 bit. The voice is in the query
(`?voice=anna&language=de`), or Vapi's `voiceId`, or the model's first.
"""

from collections.abc import Iterator, Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.dependencies import require_role
from app.api.dialects.dialect import Opening
from app.api.dialects.spoken_file import spoken_file
from app.api.dialects.values import language_of, object_of, text_of
from app.api.errors import JsonResponse
from app.api.json_body import read_object
from app.api.openapi import SPOKEN, fields_of, json_body
from app.api.services import Services
from app.api.socket_messages import Start
from app.api.speech_request import parse
from app.audio.vendor_formats import raw_format
from app.errors import BadRequest
from app.key_settings import Role

SOCKETS: Mapping[str, str] = {}
METADATA_BYTES = 1024**2  # of a request, about the call; it grows with the conversation
_RATE = 24_000
_BODY = json_body(
    fields_of(
        ["message"],
        {
            "message": {
                "type": "object",
                "required": ["text"],
                "properties": {
                    "type": {"type": "string", "enum": ["voice-request"]},
                    "text": {"type": "string"},
                    "sampleRate": {"type": "integer"},
                },
            }
        },
    )
)


def routes(services: Services) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse, dependencies=[require_role(Role.SPEAK)])

    @router.post("/vapi/speak", response_model=None, responses=SPOKEN, openapi_extra=_BODY)
    async def speak(request: Request) -> Response:
        """Vapi: speech of a `voice-request` as raw samples."""
        body = await read_object(request, services.planner.max_body_bytes + METADATA_BYTES)
        message = object_of(body, "message")
        if message.get("type", "voice-request") != "voice-request":
            raise BadRequest("message: its type must be voice-request", param="message")
        text = text_of(message, "text")
        if text is None:
            raise BadRequest("message: the text is missing", param="message")
        named = (request.query_params.get("voice"), *_voices_of(message))
        default = services.synthesizer.card().voices[0]
        voice = next((name for name in named if name and name.strip()), default)
        language = language_of(
            request.query_params.get("language"), services.synthesizer.card().languages
        )
        opening = _opening(voice, message.get("sampleRate", _RATE), language)
        return await spoken_file(services, request, opening, text)

    return router


def _voices_of(message: dict[str, object]) -> Iterator[str | None]:
    yield text_of(message, "voiceId")
    for holder in (message, object_of(message, "assistant")):
        voice = holder.get("voice")
        yield text_of(voice, "voiceId") if isinstance(voice, dict) else None


def _opening(voice: str, sample_rate: object, language: str | None) -> Opening:
    """Raises BadRequest."""
    if not isinstance(sample_rate, int) or isinstance(sample_rate, bool):
        raise BadRequest("sampleRate: the value must be a number", param="sampleRate")
    sound = raw_format("pcm_s16le", sample_rate)
    start: dict[str, object] = {
        "type": "start",
        "context_id": "new",
        "voice": voice,
        "response_format": sound.name,
        "sample_rate": sample_rate,
        "language": language,
    }
    return Opening(parse(Start, start), sound.audio)
