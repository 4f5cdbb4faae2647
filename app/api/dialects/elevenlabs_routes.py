"""ElevenLabs' routes: two sockets and three answers over HTTP below `/v1/text-to-speech/{voice}`,
and the list of voices. A voice, a model or a format that does not exist refuses the handshake."""

import json
from collections.abc import Sequence
from contextlib import nullcontext

from fastapi import APIRouter, Request, WebSocket
from starlette.responses import Response

from app.api.dependencies import accept, caller_of, require_role
from app.api.dialects import elevenlabs_messages as messages
from app.api.dialects.alignment import Alignments, TimedChar
from app.api.dialects.cut_speech import cut_error
from app.api.dialects.elevenlabs import ElevenLabs
from app.api.dialects.elevenlabs_fields import SocketQuery, opening_of
from app.api.dialects.handshake import refuse
from app.api.dialects.http import errors_shaped, job_of
from app.api.dialects.values import object_of, text_of
from app.api.dialects.words import timed
from app.api.encoding import SpeechEncoder
from app.api.errors import JsonResponse
from app.api.json_body import read_object
from app.api.openapi import LINES, SPOKEN, fields_of, json_body
from app.api.services import Services
from app.api.speech_bodies import Body, RawAudio, WholeFile
from app.api.speech_job import SpeechJob
from app.api.speech_response import SpeechResponse
from app.api.speech_socket import SpeechSocket
from app.core import AudioChunk
from app.errors import BadRequest, ServeError
from app.key_settings import Role
from app.sessions.settled_words import SettledWords

URL = "/v1/text-to-speech/{voice}"
_SAID = "ElevenLabs' messages; docs/dialects.md says which"
SOCKETS = {f"{URL}/multi-stream-input": _SAID, f"{URL}/stream-input": _SAID}
_BODY = json_body(
    fields_of(
        ["text"],
        {
            "text": {"type": "string"},
            "model_id": {"type": "string"},
            "language_code": {"type": "string"},
            "voice_settings": {"type": "object", "description": "speed acts"},
            "seed": {"type": "integer"},
            "apply_text_normalization": {"type": "string"},
        },
    )
)


class TimedLines:
    """Implements app.api.speech_bodies.Body: lines of JSON with sound and alignments, whose times
    count from the first sample. No alignment comes before the first sound."""

    content_type = "application/x-ndjson"

    def __init__(self, job: SpeechJob) -> None:
        self._encoder = SpeechEncoder(job.options)
        self._delay_s = job.options.delay_s
        self._words = SettledWords(job.words)
        self._alignments = Alignments(is_synced=True)
        self._alignments.add_text(job.words.text)

    async def feed(self, chunk: AudioChunk) -> bytes:
        sound = await self._encoder.feed(chunk.pcm)
        return _line(sound, self._chars(is_last=False)) if sound else b""

    async def fill(self) -> bytes:
        return _line(await self._encoder.fill(), ())

    async def end(self, last: AudioChunk) -> bytes:
        sound = await self._encoder.feed(last.pcm) + await self._encoder.finish()
        chars = self._chars(is_last=True) + self._alignments.rest()
        cut = cut_error(last.finish)
        told = b"" if cut is None else _json_line(messages.line(b"", ()) | messages.error(cut))
        return (_line(sound, chars) if sound or chars else b"") + told

    def _chars(self, *, is_last: bool) -> list[TimedChar]:
        heard_ms = (self._encoder.audio_s + self._delay_s) * 1e3
        news = self._encoder.fillers.heard(self._words.news(heard_ms, is_last=is_last))
        return self._alignments.of(timed(news))

    def broken(self, error: Exception) -> bytes:
        return b""


def _line(sound: bytes, chars: Sequence[TimedChar]) -> bytes:
    return _json_line(messages.line(sound, chars))


def _json_line(message: messages.Message) -> bytes:
    return json.dumps(message).encode() + b"\n"


def routes(services: Services) -> APIRouter:
    router = APIRouter(
        default_response_class=JsonResponse,
        dependencies=[errors_shaped(messages.refusal), require_role(Role.SPEAK)],
    )
    card = services.synthesizer.card

    async def job(request: Request, voice: str) -> SpeechJob:
        body = await read_object(request, services.planner.max_body_bytes)
        text = text_of(body, "text")
        if text is None:
            raise BadRequest("text: the text is missing", param="text")
        query = SocketQuery(
            voice,
            text_of(body, "model_id") or None,
            SocketQuery.of(voice, request.query_params).output_format,
            text_of(body, "language_code"),
            text_of(body, "apply_text_normalization"),
            None if body.get("seed") is None else str(body["seed"]),
        )
        settings = object_of(body, "voice_settings")
        opening = opening_of(query, settings, "job", card().languages)
        caller, session_id = caller_of(request), request.state.request_id
        return await job_of(services, caller, opening, text, session_id)

    def answer(job: SpeechJob, body: Body) -> Response:
        return SpeechResponse(services, nullcontext(job), body, is_whole=True, fills_gaps=True)

    @router.post(URL, response_model=None, responses=SPOKEN, openapi_extra=_BODY)
    async def speak_whole(request: Request, voice: str) -> Response:
        """ElevenLabs: speech of a text as one file. The query has `output_format`."""
        made = await job(request, voice)
        return answer(made, WholeFile(made))

    @router.post(f"{URL}/stream", response_model=None, responses=SPOKEN, openapi_extra=_BODY)
    async def speak_stream(request: Request, voice: str) -> Response:
        """ElevenLabs: the same as a stream."""
        made = await job(request, voice)
        return answer(made, RawAudio(made))

    @router.post(
        f"{URL}/stream/with-timestamps", response_model=None, responses=LINES, openapi_extra=_BODY
    )
    async def speak_timed(request: Request, voice: str) -> Response:
        """ElevenLabs: the same as lines of JSON with alignments."""
        made = await job(request, voice)
        return answer(made, TimedLines(made))

    async def serve(websocket: WebSocket, voice: str, is_multi: bool) -> None:
        caller, socket_id = caller_of(websocket), websocket.state.request_id
        query = SocketQuery.of(voice, websocket.query_params)
        try:
            opening = opening_of(query, {}, "check", card().languages)
            if opening.start.model is not None:
                services.planner.models.check(opening.start.model)
            await services.voices.find(caller, voice)
        except ServeError as error:
            services.refused(error.code)
            await refuse(websocket, error, messages.refusal)
            return
        await accept(websocket)
        dialect = ElevenLabs(query, card().languages, is_multi=is_multi)
        await SpeechSocket(websocket, services, caller, socket_id, dialect).serve()

    @router.websocket(f"{URL}/multi-stream-input")
    async def stream_contexts(websocket: WebSocket, voice: str) -> None:
        await serve(websocket, voice, is_multi=True)

    @router.websocket(f"{URL}/stream-input")
    async def stream_one(websocket: WebSocket, voice: str) -> None:
        await serve(websocket, voice, is_multi=False)

    return router
