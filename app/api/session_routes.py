"""The report of a session: how it ended and where its time went."""

from dataclasses import asdict

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.dependencies import caller_of, require_role
from app.api.errors import JsonResponse
from app.api.middleware import check_session_id
from app.config import Role
from app.core import SessionKey, SessionReport, Synthesizer
from app.errors import NotFound
from app.sessions.timeline import all_legs


def session_routes(synthesizer: Synthesizer) -> APIRouter:
    router = APIRouter(default_response_class=JsonResponse, dependencies=[require_role(Role.SPEAK)])

    @router.get("/v1/sessions/{session_id}", response_model=None)
    async def session(request: Request, session_id: str) -> Response:
        """The report of a session of the caller's tenant, while the registry remembers it."""
        check_session_id(session_id, "session_id")
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
    """Marks are seconds on the server machine's monotonic clock; legs are the times between
    them."""
    marks = sorted(report.marks.items(), key=lambda item: item[1])
    body = asdict(report) | {"marks": {mark.value: round(at_s, 6) for mark, at_s in marks}}
    return body | {"legs_ms": all_legs(report.marks)}
