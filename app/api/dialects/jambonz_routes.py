"""jambonz's custom text-to-speech: `/jambonz/synthesize` over HTTP and as a socket.

Over HTTP the answer is an MP3, because the module of jambonz that plays it as it comes reads no
other format.
"""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Request, WebSocket
from starlette.responses import Response

from app.api.dependencies import accept, caller_of, require_role
from app.api.dialects.dialect import Opening
from app.api.dialects.handshake import refuse
from app.api.dialects.jambonz import Jambonz, connected
from app.api.dialects.spoken_file import spoken_file
from app.api.dialects.values import language_of, text_of
from app.api.errors import JsonResponse
from app.api.json_body import read_object
from app.api.openapi import SPOKEN, fields_of, json_body
from app.api.services import Services
from app.api.socket_messages import Start
from app.api.speech_request import parse
from app.api.speech_socket import SpeechSocket
from app.audio.formats import SAMPLE_RATES
from app.audio.vendor_formats import VendorFormat, coded_format, raw_format
from app.errors import BadRequest, ServeError
from app.key_settings import Role

SOCKETS: Mapping[str, str] = {"/jambonz/synthesize": "jambonz's messages; docs/dialects.md"}
BUFFER_MS = 1000
_RATE = 24_000
_BIT_RATE = 64_000
_BODY = json_body(
    fields_of(
        ["text"],
        {
            "text": {"type": "string", "description": "a text, or SSML"},
            "voice": {"type": "string"},
            "language": {"type": "string"},
            "type": {"type": "string", "enum": ["text", "ssml"]},
        },
    )
)


def routes(services: Services) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse, dependencies=[require_role(Role.SPEAK)])
    card = services.synthesizer.card

    @router.post("/jambonz/synthesize", response_model=None, responses=SPOKEN, openapi_extra=_BODY)
    async def synthesize(request: Request) -> Response:
        """jambonz: speech of a text as MP3."""
        body = await read_object(request, services.planner.max_body_bytes)
        text = text_of(body, "text")
        if text is None:
            raise BadRequest("text: the text is missing", param="text")
        voice = text_of(body, "voice") or card().voices[0]
        sound = coded_format("mp3", _RATE, _BIT_RATE)
        opening = opening_of(sound, voice, text_of(body, "language"), card().languages)
        return await spoken_file(services, request, opening, text)

    @router.websocket("/jambonz/synthesize")
    async def stream(websocket: WebSocket) -> None:
        caller, socket_id = caller_of(websocket), websocket.state.request_id
        query = websocket.query_params
        try:
            sound = raw_format("pcm_s16le", _rate_of(query.get("sampleRate")))
            voice = query.get("voice", "").strip() or card().voices[0]
            opening = opening_of(sound, voice, query.get("language"), card().languages)
            await services.voices.find(caller, voice)
        except ServeError as error:
            services.refused(error.code)
            await refuse(websocket, error)
            return
        await accept(websocket)
        await websocket.send_text(connected(sound.sample_rate))
        await SpeechSocket(websocket, services, caller, socket_id, Jambonz(opening)).serve()

    return router


def opening_of(
    sound: VendorFormat, voice: str, language: str | None, languages: Sequence[str]
) -> Opening:
    """Raises BadRequest."""
    start: dict[str, object] = {
        "type": "start",
        "context_id": "new",
        "voice": voice,
        "response_format": sound.name,
        "sample_rate": sound.sample_rate,
        "language": language_of(language, languages),
        "max_buffer_ms": BUFFER_MS,
    }
    return Opening(parse(Start, start), sound.audio, sound.silence)


def _rate_of(given: str | None) -> int:
    """The rate of the call, where it is one that can be made: jambonz is told the rate of the
    sound, and resamples."""
    rates = {str(rate): rate for rate in SAMPLE_RATES}
    return _RATE if given is None else rates.get(given, _RATE)
