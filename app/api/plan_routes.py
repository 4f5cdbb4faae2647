"""What a text becomes before the model gets it: the route that speaks nothing."""

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from app.api.answers import DroppedText, PlannedSegment, PlannedWord, SpeechPlan
from app.api.dependencies import caller_of, require_role
from app.api.errors import JsonResponse
from app.api.json_body import read_object
from app.api.openapi import answer, json_body
from app.api.services import Services
from app.api.speech_request import SpeechOptionFields, VoiceField, parse
from app.key_settings import Role
from app.text.plan import SpokenText


class PlanFields(SpeechOptionFields):
    """The body of POST /v1/audio/speech/plan. `model` and `voice` may be left out."""

    model: str | None = Field(None, description="a name that GET /v1/models lists")
    input: str = Field(description="the text")
    voice: VoiceField | None = Field(None, description="its pronunciations count, too")


_BODY = json_body(PlanFields.model_json_schema())


def plan_routes(services: Services) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse, dependencies=[require_role(Role.SPEAK)])
    planner = services.planner

    @router.post(
        "/v1/audio/speech/plan",
        response_model=None,
        responses=answer(SpeechPlan),
        openapi_extra=_BODY,
    )
    async def plan(request: Request) -> Response:
        """What the model would get of a text. Makes no sound and uses no quota of sound."""
        caller = caller_of(request)
        fields = parse(PlanFields, await read_object(request, planner.max_body_bytes))
        if fields.model is not None:
            planner.models.check(fields.model)
        voice, kept = await services.pronunciations.of_speech(caller, fields.voice)
        options = planner.options(fields, voice, caller, kept=kept)
        return JsonResponse(body_of(await planner.plan(fields.input, options)))

    return router


def body_of(spoken: SpokenText) -> SpeechPlan:
    *pauses_s, after_s = spoken.pauses_s
    return SpeechPlan(
        segments=tuple(
            PlannedSegment(
                text=text,
                pause_before_s=pause_s,
                words=tuple(PlannedWord(text=w.text, start=w.start, end=w.end) for w in words),
            )
            for text, pause_s, words in zip(spoken.segments, pauses_s, spoken.words, strict=True)
        ),
        pause_after_s=after_s,
        dropped=tuple(
            DroppedText(text=each.text, start=each.start, end=each.end, reason=each.reason)
            for each in spoken.dropped
        ),
        dropped_characters=spoken.num_dropped_chars,
    )
