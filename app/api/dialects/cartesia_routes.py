"""Cartesia's routes: `/tts/websocket`, `/tts/bytes` and `/tts/sse`, at the root as Cartesia has
them. The version of its interface (`Cartesia-Version`, `cartesia_version`) may be any."""

import json
import time
from contextlib import nullcontext

from fastapi import APIRouter, Request, WebSocket
from starlette.responses import Response

from app.api.dependencies import caller_of, require_role
from app.api.dialects import cartesia_messages as messages
from app.api.dialects.cartesia import Cartesia, tag_replacer
from app.api.dialects.cartesia_fields import opening_of
from app.api.dialects.http import errors_shaped, job_of
from app.api.dialects.values import text_of
from app.api.encoding import SpeechEncoder
from app.api.errors import JsonResponse
from app.api.json_body import read_object
from app.api.openapi import EVENTS, SPOKEN
from app.api.services import Services
from app.api.speech_bodies import EVENT_STREAM, Body, RawAudio
from app.api.speech_job import SpeechJob
from app.api.speech_response import SpeechResponse
from app.api.speech_socket import SpeechSocket
from app.core import AudioChunk, FinishReason
from app.errors import BadRequest
from app.key_settings import Role

SOCKETS = {"/tts/websocket": "Cartesia's messages; docs/dialects.md says which"}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["model_id", "transcript", "voice", "output_format"],
                    "properties": {
                        "model_id": {"type": "string"},
                        "transcript": {"type": "string", "description": "the text"},
                        "voice": {
                            "anyOf": [{"type": "string"}, {"type": "object"}],
                            "description": 'a name, an id, or {"mode": "id", "id": ...}',
                        },
                        "output_format": {
                            "type": "object",
                            "description": "container raw, wav or mp3; encoding; sample_rate",
                        },
                        "language": {"type": "string"},
                        "generation_config": {
                            "type": "object",
                            "description": "speed and volume act",
                        },
                    },
                }
            }
        },
    }
}


class CartesiaEvents:
    """Implements app.api.speech_bodies.Body: the socket's messages as server-sent events."""

    content_type = EVENT_STREAM

    def __init__(self, job: SpeechJob, context_id: str | None) -> None:
        self._encoder = SpeechEncoder(job.options)
        self._context_id = context_id
        self._last_s = time.monotonic()

    async def feed(self, chunk: AudioChunk) -> bytes:
        return self._chunk(await self._encoder.feed(chunk.pcm))

    async def end(self, last: AudioChunk) -> bytes:
        tail = await self.feed(last) + self._chunk(await self._encoder.finish())
        if last.finish is FinishReason.CANCELLED:
            told = messages.cancelled_elsewhere()
            return tail + self._event(told) if self._encoder.audio_s else b""
        return tail + self._event(messages.done())

    def broken(self, error: Exception) -> bytes:
        return self._event(messages.error(error))

    def _chunk(self, encoded: bytes) -> bytes:
        if not encoded:
            return b""
        last_s, self._last_s = self._last_s, time.monotonic()
        return self._event(messages.chunk(encoded, (self._last_s - last_s) * 1e3))

    def _event(self, message: messages.Message) -> bytes:
        named = {} if self._context_id is None else {"context_id": self._context_id}
        return b"data: " + json.dumps(message | named).encode() + b"\n\n"


def routes(services: Services) -> APIRouter:
    router = APIRouter(
        default_response_class=JsonResponse,
        dependencies=[require_role(Role.SPEAK), errors_shaped(messages.refusal)],
    )

    async def job(request: Request) -> tuple[SpeechJob, str | None]:
        """The job of a request, and the context's id, if it has one."""
        body = await read_object(request, services.planner.max_body_bytes)
        tags = tag_replacer()
        text = text_of(body, "transcript")
        if text is None:
            raise BadRequest("transcript: the text is missing", param="transcript")
        opening = opening_of(body, "job", services.synthesizer.card().languages)
        text = tags.push(text) + tags.finish()
        caller, session_id = caller_of(request), request.state.request_id
        made = await job_of(services, caller, opening, text, session_id)
        return made, text_of(body, "context_id")

    @router.post("/tts/bytes", response_model=None, responses=SPOKEN, openapi_extra=_BODY)
    async def speak_bytes(request: Request) -> Response:
        """Cartesia: speech of a text as raw samples, WAV or MP3."""
        made, _ = await job(request)
        body: Body = RawAudio(made)
        return SpeechResponse(services, nullcontext(made), body)

    @router.post("/tts/sse", response_model=None, responses=EVENTS, openapi_extra=_BODY)
    async def speak_events(request: Request) -> Response:
        """Cartesia: speech of a text as server-sent events with the messages of its socket."""
        made, context_id = await job(request)
        return SpeechResponse(services, nullcontext(made), CartesiaEvents(made, context_id))

    @router.websocket("/tts/websocket")
    async def stream(websocket: WebSocket) -> None:
        caller, socket_id = caller_of(websocket), websocket.state.request_id
        await websocket.accept()
        is_sdk = "x-stainless-lang" in websocket.headers
        dialect = Cartesia(services.synthesizer.card().languages, is_sdk=is_sdk)
        await SpeechSocket(websocket, services, caller, socket_id, dialect).serve()

    return router
