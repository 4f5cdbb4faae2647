"""The one place where an error becomes an answer: OpenAI's error shape, status and retry headers.

The messages of ServeError and HTTPException are written for clients, but those of ConfigError name
files. Of a ConfigError, and of any other exception, the client learns only that it happened; the
log has the details under the request id.
"""

import json
import logging
from collections.abc import Callable, Mapping

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from app.errors import (
    ConfigError,
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
    416: "range_not_satisfiable",
    426: "upgrade_required",
}
PATIENCE_S = 60  # a client that must wait longer is told not to retry by itself
_INTERNAL = "internal error; the server's log has the details under the id of this request"


Explain = Callable[[HTTPException, Scope], HTTPException]  # what the router itself refused
CountRefusal = Callable[[str], None]  # called with the `code` of every error


def uncounted(code: str) -> None:
    """For an application that does not count errors."""


def has_status(handshake: Scope) -> bool:
    """Whether the server can refuse this handshake of a socket with an HTTP answer."""
    extensions: dict[str, object] = handshake.get("extensions", {})
    return "websocket.http.response" in extensions


class JsonResponse(Response):
    """ASCII only, so that an answer can repeat any character that a client sent."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        if isinstance(content, BaseModel):
            content = content.model_dump(mode="json")
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def status_of(error: Exception) -> int:
    if isinstance(error, ServeError):
        return error.status
    return error.status_code if isinstance(error, HTTPException) else 500


def code_of(error: Exception) -> str:
    if isinstance(error, ServeError):
        return error.code
    if isinstance(error, HTTPException):
        return _CODES.get(error.status_code, "http_error")
    return ServeError.code


def error_of(error: Exception) -> dict[str, str | None]:
    """The value of `error` in a body or an event."""
    status = status_of(error)
    kind = "invalid_request_error" if status < 500 else "server_error"
    message, param = _INTERNAL, None
    if isinstance(error, ServeError) and not isinstance(error, ConfigError):
        message, param = error.message, error.param
    elif isinstance(error, HTTPException):
        message = error.detail
    return {"message": message, "type": kind, "param": param, "code": code_of(error)}


Shape = Callable[
    [Exception], Mapping[str, object]
]  # what another vendor's client reads of an error


def answer(error: Exception, shape: Shape | None = None) -> JsonResponse:
    """`shape`: of a dialect; its fields stand beside `error`."""
    more = {} if shape is None else shape(error)
    body = {"error": error_of(error), **more}
    return JsonResponse(body, status_of(error), headers=_headers(error))


def _headers(error: Exception) -> Mapping[str, str] | None:
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, RateLimited | Overloaded) and error.retry_after_s > PATIENCE_S:
        return {"Retry-After": str(error.retry_after_s), "X-Should-Retry": "false"}
    if isinstance(error, Overloaded | Unavailable | RateLimited):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, DuplicateSession | Conflict | NotServed | StorageFull):
        return {"X-Should-Retry": "false"}  # OpenAI's clients retry 409 and 5xx by default
    return error.headers if isinstance(error, HTTPException) else None


def install(app: FastAPI, refused: CountRefusal, explain: Explain) -> None:
    async def translate(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            error = explain(error, request.scope)
        if status_of(error) >= 500:
            request_id = request.state.request_id
            log.error("request %s failed: %s", request_id, error, extra={"session": request_id})
        refused(code_of(error))
        return answer(error, getattr(request.state, "error_shape", None))

    app.add_exception_handler(ServeError, translate)
    app.add_exception_handler(HTTPException, translate)
