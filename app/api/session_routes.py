"""The report of a session (how it ended and where its time went), and the stop of many sessions."""

import asyncio
import logging
from collections import Counter
from dataclasses import asdict

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.api.answers import StopCounts
from app.api.dependencies import caller_of, require_role
from app.api.errors import JsonResponse
from app.api.json_body import read_optional_object
from app.api.middleware import check_target_id
from app.api.openapi import answer, json_body
from app.api.speech_request import parse
from app.core import CancelAck, CancelState, SessionKey, SessionReport
from app.errors import NotFound
from app.key_settings import TENANT, Role
from app.synthesizer import Synthesizer

log = logging.getLogger(__name__)

_MAX_STOP_BYTES = 1024


class StopFields(BaseModel):
    tenant: str | None = Field(
        None, pattern=TENANT, description="stop the sessions of this tenant alone"
    )


_STOP_BODY = json_body(StopFields.model_json_schema(), is_required=False)


async def stop_sessions(synthesizer: Synthesizer, tenant: str | None) -> list[CancelAck]:
    """Stops the sessions of the tenant, or of every tenant, that are live now. Sessions that end by
    themselves meanwhile are left out. Raises Unavailable."""
    keys = await synthesizer.live(tenant)
    acks = await asyncio.gather(*map(synthesizer.cancel, keys))
    return [ack for ack in acks if ack.state in (CancelState.STOPPED, CancelState.STOPPING)]


def session_routes(synthesizer: Synthesizer) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse)

    @router.post(
        "/v1/admin/stop",
        response_model=None,
        responses=answer(StopCounts),
        dependencies=[require_role(Role.ADMIN)],
        openapi_extra=_STOP_BODY,
    )
    async def stop(request: Request) -> Response:
        """Stop every session of every tenant, or of one tenant. Answers with the number of sessions
        that have stopped, and of those that are told to stop and have not confirmed yet."""
        fields = parse(StopFields, await read_optional_object(request, _MAX_STOP_BYTES))
        acks = await stop_sessions(synthesizer, fields.tenant)
        message = "key %s stopped %d sessions of %s"
        log.warning(message, caller_of(request).name, len(acks), fields.tenant or "every tenant")
        states = Counter(ack.state for ack in acks)
        counts = StopCounts(
            stopped=states[CancelState.STOPPED], stopping=states[CancelState.STOPPING]
        )
        return JsonResponse(counts)

    @router.get(
        "/v1/sessions/{session_id}",
        response_model=None,
        responses=answer(SessionReport),
        dependencies=[require_role(Role.SPEAK)],
    )
    async def session(request: Request, session_id: str) -> Response:
        """The report of a session of the caller's tenant, while the registry remembers it."""
        check_target_id(session_id)
        report = await synthesizer.session(SessionKey(caller_of(request).tenant, session_id))
        if report is None:
            raise NotFound(
                "no session with this id is remembered",
                param="session_id",
                code="session_not_found",
            )
        return JsonResponse(_body_of(report))

    return router


def _body_of(report: SessionReport) -> dict[str, object]:
    """Marks are seconds on the server machine's monotonic clock, in the order of time."""
    marks = sorted(report.marks.items(), key=lambda item: item[1])
    return asdict(report) | {"marks": {mark.value: round(at_s, 6) for mark, at_s in marks}}
