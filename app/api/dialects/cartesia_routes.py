"""Cartesia's routes: `/tts/websocket`, `/tts/bytes` and `/tts/sse`, at the root as Cartesia has
them. The version of its interface (`Cartesia-Version`, `cartesia_version`) may be any."""

import json
import time
from contextlib import nullcontext

from fastapi import APIRouter, Request, WebSocket
from starlette.responses import Response

from app.api.dependencies import accept, caller_of, require_role
from app.api.dialects import cartesia_messages as messages
from app.api.dialects.cartesia import Cartesia, as_sent, tag_replacer
from app.api.dialects.cartesia_fields import opening_of
from app.api.dialects.cut_speech import cut_error
from app.api.dialects.http import errors_shaped, job_of
from app.api.dialects.values import flag_of, text_of
from app.api.dialects.words import timed
from app.api.encoding import SpeechEncoder
from app.api.errors import JsonResponse
from app.api.json_body import read_object
from app.api.openapi import EVENTS, SPOKEN, fields_of, json_body
from app.api.services import Services
from app.api.speech_bodies import EVENT_STREAM, RawAudio
from app.api.speech_job import SpeechJob
from app.api.speech_response import SpeechResponse
from app.api.speech_socket import SpeechSocket
from app.core import AudioChunk
from app.errors import BadRequest
from app.key_settings import Role
from app.sessions.settled_words import SettledWords

SOCKETS = {"/tts/websocket": "Cartesia's messages; docs/dialects.md says which"}
_BODY = json_body(
    fields_of(
        ["model_id", "transcript", "voice", "output_format"],
        {
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
            "generation_config": {"type": "object", "description": "speed and volume act"},
            "add_timestamps": {"type": "boolean", "description": "of `/tts/sse`"},
        },
    )
)


class CartesiaEvents:
    """Implements app.api.speech_bodies.Body: the socket's messages as server-sent events."""

    content_type = EVENT_STREAM

    def __init__(self, job: SpeechJob, context_id: str | None, *, tells_words: bool) -> None:
        self._encoder = SpeechEncoder(job.options)
        self._context_id = context_id
        self._words = SettledWords(job.words) if tells_words else None
        self._delay_s = job.options.delay_s
        self._last_s = time.monotonic()

    async def feed(self, chunk: AudioChunk) -> bytes:
        return self._chunk(await self._encoder.feed(chunk.pcm))

    async def fill(self) -> bytes:
        return self._chunk(await self._encoder.fill())

    async def end(self, last: AudioChunk) -> bytes:
        sound = await self._encoder.feed(last.pcm) + await self._encoder.finish()
        cut = cut_error(last.finish)
        told = b"" if cut is None else self._event(messages.error(cut))
        return self._chunk(sound, is_last=True) + told + self._event(messages.done())

    def broken(self, error: Exception) -> bytes:
        return self._event(messages.error(error))

    def _chunk(self, encoded: bytes, *, is_last: bool = False) -> bytes:
        """The sound with its words. No words are told before the first sound."""
        if not (encoded or is_last):
            return b""
        words = self._timestamps(is_last)
        if not encoded:
            return words
        last_s, self._last_s = self._last_s, time.monotonic()
        return words + self._event(messages.chunk(encoded, (self._last_s - last_s) * 1e3))

    def _timestamps(self, is_last: bool) -> bytes:
        if self._words is None:
            return b""
        heard_ms = (self._encoder.audio_s + self._delay_s) * 1e3
        news = self._encoder.fillers.heard(self._words.news(heard_ms, is_last=is_last))
        words = as_sent(timed(news))
        return self._event(messages.timestamps(words)) if words else b""

    def _event(self, message: messages.Message) -> bytes:
        named = {} if self._context_id is None else {"context_id": self._context_id}
        return b"data: " + json.dumps(message | named).encode() + b"\n\n"


def routes(services: Services) -> APIRouter:
    router = APIRouter(
        default_response_class=JsonResponse,
        dependencies=[errors_shaped(messages.refusal), require_role(Role.SPEAK)],
    )

    async def job(request: Request, body: dict[str, object]) -> SpeechJob:
        tags = tag_replacer()
        text = text_of(body, "transcript")
        if text is None:
            raise BadRequest("transcript: the text is missing", param="transcript")
        opening = opening_of(body, "job", services.synthesizer.card().languages)
        text = tags.push(text) + tags.finish()
        caller, session_id = caller_of(request), request.state.request_id
        return await job_of(services, caller, opening, text, session_id)

    @router.post("/tts/bytes", response_model=None, responses=SPOKEN, openapi_extra=_BODY)
    async def speak_bytes(request: Request) -> Response:
        """Cartesia: speech of a text as raw samples, WAV or MP3."""
        made = await job(request, await read_object(request, services.planner.max_body_bytes))
        return SpeechResponse(
            services, nullcontext(made), RawAudio(made), is_whole=True, fills_gaps=True
        )

    @router.post("/tts/sse", response_model=None, responses=EVENTS, openapi_extra=_BODY)
    async def speak_events(request: Request) -> Response:
        """Cartesia: speech of a text as server-sent events with the messages of its socket."""
        body = await read_object(request, services.planner.max_body_bytes)
        made, context_id = await job(request, body), text_of(body, "context_id")
        tells_words = flag_of(body, "add_timestamps")
        events = CartesiaEvents(made, context_id, tells_words=tells_words)
        return SpeechResponse(services, nullcontext(made), events, is_whole=True, fills_gaps=True)

    @router.websocket("/tts/websocket")
    async def stream(websocket: WebSocket) -> None:
        caller, socket_id = caller_of(websocket), websocket.state.request_id
        await accept(websocket)
        is_sdk = "x-stainless-lang" in websocket.headers
        dialect = Cartesia(services.synthesizer.card().languages, is_sdk=is_sdk)
        await SpeechSocket(websocket, services, caller, socket_id, dialect).serve()

    return router
