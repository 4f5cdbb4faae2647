"""Deepgram's routes: the socket and the POST of `/v1/speak`. A voice that does not exist refuses
the handshake."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, WebSocket
from starlette.responses import Response

from app.api.dependencies import accept, caller_of, require_role
from app.api.dialects.deepgram import Deepgram, metadata, refusal
from app.api.dialects.deepgram_fields import file_opening, socket_opening
from app.api.dialects.handshake import refuse
from app.api.dialects.http import errors_shaped
from app.api.dialects.spoken_file import spoken_file
from app.api.dialects.values import text_of
from app.api.errors import JsonResponse
from app.api.json_body import read_object
from app.api.openapi import SPOKEN, fields_of, json_body
from app.api.services import Services
from app.api.speech_socket import SpeechSocket
from app.errors import BadRequest, ServeError
from app.key_settings import Role

SOCKETS: Mapping[str, str] = {"/v1/speak": "Deepgram's messages; docs/dialects.md says which"}
_BODY = json_body(
    fields_of(
        ["text"],
        {"text": {"type": "string"}},
    )
)


def routes(services: Services) -> APIRouter:
    router = APIRouter(
        default_response_class=JsonResponse,
        dependencies=[errors_shaped(refusal), require_role(Role.SPEAK)],
    )
    card = services.synthesizer.card

    @router.post("/v1/speak", response_model=None, responses=SPOKEN, openapi_extra=_BODY)
    async def speak(request: Request) -> Response:
        """Deepgram: speech of a text. The query has `model` (the voice), `encoding`, `container`,
        `sample_rate`, `bit_rate` and `speed`."""
        opening = file_opening(request.query_params, card().voices[0], card().languages)
        body = await read_object(request, services.planner.max_body_bytes)
        text = text_of(body, "text")
        if text is None:
            raise BadRequest("text: the text is missing", param="text")
        response = await spoken_file(services, request, opening, text)
        response.headers["dg-request-id"] = request.state.request_id
        response.headers["dg-char-count"] = str(len(text))
        return response

    @router.websocket("/v1/speak")
    async def stream(websocket: WebSocket) -> None:
        caller, socket_id = caller_of(websocket), websocket.state.request_id
        try:
            query, languages = websocket.query_params, card().languages
            opening = socket_opening(query, card().voices[0], languages)
            voice = await services.voices.find(caller, opening.start.voice)
        except ServeError as error:
            services.refused(error.code)
            await refuse(websocket, error, refusal)
            return
        await accept(websocket)
        await websocket.send_text(metadata(socket_id, card().name, voice.name))
        await SpeechSocket(websocket, services, caller, socket_id, Deepgram(opening)).serve()

    return router
