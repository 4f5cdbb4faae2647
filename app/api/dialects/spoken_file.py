"""The answer to a request whose client bounds the time of the whole body: LiveKit gives up after
30 s, Vapi after 20 s, jambonz after 10 s. So the sound is sent as it is made, and not as it plays.
A client that hangs up stops the speech."""

from contextlib import nullcontext
from dataclasses import replace

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
    job = replace(job, request=replace(job.request, is_paced=False, is_held=False))
    return SpeechResponse(services, nullcontext(job), RawAudio(job))
