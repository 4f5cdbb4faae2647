"""The one place where a fault becomes an answer: OpenAI's error shape, status and retry headers.

Messages of ServeError and of HTTPException are written for clients; any other exception is told
only that it happened (the log has the rest, under the request id).
"""

import json
import logging
from collections.abc import Callable, Mapping

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.errors import (
    Conflict,
    DuplicateSession,
    NotServed,
    Overloaded,
    RateLimited,
    ServeError,
    StorageFull,
    Unauthorized,
    Unavailable,
)

log = logging.getLogger(__name__)

_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
}
PATIENCE_S = 60  # a client that is told to wait longer need not try again by itself
_INTERNAL = "internal error; the server's log has it under this request's id"


CountRefusal = Callable[[str], None]  # told the `code` of each


def uncounted(code: str) -> None:
    """Where nobody counts."""


class JsonResponse(Response):
    """ASCII only, so that whatever a client sent can be named in an answer."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def status_of(fault: Exception) -> int:
    if isinstance(fault, ServeError):
        return fault.status
    return fault.status_code if isinstance(fault, HTTPException) else 500


def code_of(fault: Exception) -> str:
    if isinstance(fault, ServeError):
        return fault.code
    if isinstance(fault, HTTPException):
        return _CODES.get(fault.status_code, "http_error")
    return ServeError.code


def error_of(fault: Exception) -> dict[str, str | None]:
    """What stands under `error` in a body or an event."""
    status = status_of(fault)
    kind = "invalid_request_error" if status < 500 else "server_error"
    message, param = _INTERNAL, None
    if isinstance(fault, ServeError):
        message, param = fault.message, fault.param
    elif isinstance(fault, HTTPException):
        message = fault.detail
    return {"message": message, "type": kind, "param": param, "code": code_of(fault)}


def answer(fault: Exception) -> JsonResponse:
    return JsonResponse({"error": error_of(fault)}, status_of(fault), headers=_headers(fault))


def _headers(fault: Exception) -> Mapping[str, str] | None:
    if isinstance(fault, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(fault, RateLimited) and fault.retry_after_s > PATIENCE_S:
        return {"Retry-After": str(fault.retry_after_s), "X-Should-Retry": "false"}
    if isinstance(fault, Overloaded | Unavailable | RateLimited):
        return {"Retry-After": str(fault.retry_after_s)}
    if isinstance(fault, DuplicateSession | Conflict | NotServed | StorageFull):
        return {"X-Should-Retry": "false"}  # OpenAI's clients try 409 and 5xx again, in vain here
    return fault.headers if isinstance(fault, HTTPException) else None


def install(app: FastAPI, refused: CountRefusal) -> None:
    async def translate(request: Request, fault: Exception) -> Response:
        if status_of(fault) >= 500:
            log.error("request %s failed: %s", request.state.request_id, fault)
        refused(code_of(fault))
        return answer(fault)

    app.add_exception_handler(ServeError, translate)
    app.add_exception_handler(HTTPException, translate)
