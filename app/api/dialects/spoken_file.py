"""The answer to a request for one text: a body of sound, sent as it is made. Its clients bound the
time of the whole body: LiveKit to 30 s, Vapi to 20 s, jambonz to 10 s. A client that hangs up stops
the speech."""

from contextlib import nullcontext

from fastapi import Request

from app.api.dependencies import caller_of
from app.api.dialects.dialect import Opening
from app.api.dialects.http import job_of
from app.api.services import Services
from app.api.speech_bodies import RawAudio
from app.api.speech_response import SpeechResponse


async def spoken_file(
    services: Services, request: Request, opening: Opening, text: str
) -> SpeechResponse:
    """Raises BadRequest and NotFound, before any work."""
    job = await job_of(services, caller_of(request), opening, text, request.state.request_id)
    return SpeechResponse(services, nullcontext(job), RawAudio(job), is_whole=True, fills_gaps=True)
