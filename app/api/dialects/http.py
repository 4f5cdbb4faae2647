"""What the dialects' routes over HTTP have in common: a job of a request's fields, and the vendor's
shape of an error."""

from dataclasses import replace
from typing import Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from app.api.dialects.dialect import Opening
from app.api.errors import Shape
from app.api.services import Services
from app.api.speech_job import SpeechJob
from app.auth.api_keys import Caller


async def job_of(
    services: Services, caller: Caller, opening: Opening, text: str, session_id: str
) -> SpeechJob:
    """Its sound is sent as it is made, not as it plays: clients bound the time of the whole body
    (LiveKit: 30 s). A text without a word may be a short silence (limits.nothing_to_speak). Raises
    BadRequest and NotFound, before any work."""
    planner, start = services.planner, opening.start
    if start.model is not None:
        planner.models.check(start.model)
    voice, kept = await services.pronunciations.of_speech(caller, start.voice)
    options = planner.options(start, voice, caller, kept=kept, is_part=True)
    options = replace(options, sound=opening.sound)
    return await planner.job(text, options, session_id)


def errors_shaped(shape: Shape) -> Any:
    """A route's dependency: the errors of the route have the vendor's fields too."""

    def remember(connection: HTTPConnection) -> None:
        connection.state.error_shape = shape

    return Depends(remember)
