"""The routes of pronunciations. Any key may read those of its tenant; only keys with the role
`voices` may change them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.api.answers import PronunciationList
from app.api.dependencies import caller_of, require_role
from app.api.errors import JsonResponse
from app.api.json_body import read_object
from app.api.openapi import answer, json_body
from app.api.pronunciation_fields import MAX_LIST_BYTES, PronunciationListFields
from app.api.pronunciations import Pronunciations
from app.api.speech_request import parse
from app.key_settings import Role

URL = "/v1/audio/pronunciations"
_BODY = json_body(PronunciationListFields.model_json_schema())
_LIST = answer(PronunciationList)
_Voice = Annotated[
    str | None, Query(description="a name or an id; left out: for every voice of the tenant")
]


def pronunciation_routes(pronunciations: Pronunciations) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse)
    makers = [require_role(Role.VOICES)]

    @router.get(URL, response_model=None, responses=_LIST)
    async def get_list(request: Request, voice: _Voice = None) -> Response:
        """The pronunciations that the caller's tenant keeps for every voice, or for one."""
        return JsonResponse(await pronunciations.get(caller_of(request), voice))

    @router.put(URL, response_model=None, responses=_LIST, openapi_extra=_BODY, dependencies=makers)
    async def put_list(request: Request, voice: _Voice = None) -> Response:
        """Replace the list. From half a second after the answer, every speech uses the new one."""
        body = parse(PronunciationListFields, await read_object(request, MAX_LIST_BYTES))
        return JsonResponse(await pronunciations.put(caller_of(request), voice, body.entries))

    @router.delete(URL, response_model=None, responses=_LIST, dependencies=makers)
    async def delete_list(request: Request, voice: _Voice = None) -> Response:
        """Delete the list. The answer is the empty list."""
        return JsonResponse(await pronunciations.delete(caller_of(request), voice))

    return router
