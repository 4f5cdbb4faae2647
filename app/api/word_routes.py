"""The words of a session that has ended: their times, and captions made of them."""

from collections.abc import Callable
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.answers import SessionWords
from app.api.dependencies import caller_of, require_role
from app.api.errors import JsonResponse
from app.api.events import words_of
from app.api.middleware import check_target_id
from app.api.openapi import CAPTIONS_SRT, CAPTIONS_VTT, answer
from app.audio.captions import srt, vtt
from app.core import SessionKey
from app.errors import Conflict, NotFound
from app.key_settings import Role
from app.spoken_words import Transcript
from app.synthesizer import Synthesizer

ESTIMATED = "X-Words-Estimated"


def words_path(session_id: str) -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}/words"


def word_routes(synthesizer: Synthesizer) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse, dependencies=[require_role(Role.SPEAK)])

    async def transcript_of(request: Request, session_id: str) -> Transcript:
        check_target_id(session_id)
        key = SessionKey(caller_of(request).tenant, session_id)
        if (transcript := await synthesizer.transcript(key)) is not None:
            return transcript
        report = await synthesizer.session(key)
        if report is not None and report.finish is None:
            message = "the session has not ended; its words are told with its sound"
            raise Conflict(message, param="session_id", code="session_live")
        message = "no words of a session with this id are remembered"
        raise NotFound(message, param="session_id", code="session_not_found")

    async def captions(
        request: Request, session_id: str, kind: str, made: Callable[[Transcript], str]
    ) -> Response:
        transcript = await transcript_of(request, session_id)
        headers = {ESTIMATED: str(transcript.is_estimate).lower(), "Cache-Control": "no-store"}
        return Response(made(transcript), media_type=kind, headers=headers)

    @router.get(
        "/v1/sessions/{session_id}/words", response_model=None, responses=answer(SessionWords)
    )
    async def words(request: Request, session_id: str) -> Response:
        """When each word of the caller's text sounds, in a session that has ended."""
        transcript = await transcript_of(request, session_id)
        told = words_of(transcript.words)
        return JsonResponse({"session_id": session_id, **told, "audio_ms": transcript.audio_ms})

    @router.get(
        "/v1/sessions/{session_id}/captions.vtt", response_model=None, responses=CAPTIONS_VTT
    )
    async def captions_vtt(request: Request, session_id: str) -> Response:
        """WebVTT captions of a session that has ended."""
        return await captions(request, session_id, "text/vtt", vtt)

    @router.get(
        "/v1/sessions/{session_id}/captions.srt", response_model=None, responses=CAPTIONS_SRT
    )
    async def captions_srt(request: Request, session_id: str) -> Response:
        """SubRip captions of a session that has ended."""
        return await captions(request, session_id, "application/x-subrip", srt)

    return router
