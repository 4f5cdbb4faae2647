"""What every HTTP request passes first and every answer last (pure ASGI).

Gives the request its id, which is the session id; refuses headers with which a client could pin a
slot; makes of an unexpected exception a 500 without its internals, or, where the headers are out,
lets it through so that the server breaks the body off.
"""

import logging
import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import answer
from app.errors import BadRequest, UnsupportedField

log = logging.getLogger(__name__)

REQUEST_ID = "X-Request-ID"
_VALID_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Ray Serve's proxies obey these, whoever sends them.
_REFUSED = ("x-request-disconnect-disabled", "x-request-timeout-seconds")


def check_session_id(session_id: str, param: str) -> str:
    if not _VALID_ID.fullmatch(session_id):
        raise BadRequest(f"{param} must match [A-Za-z0-9_-]{{1,64}}", param=param)
    return session_id


class Door:
    def __init__(self, app: ASGIApp, returns_id: bool) -> None:
        self._app = app
        self._returns_id = returns_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, refusal = _admit(Headers(scope=scope))
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if self._returns_id:
                    MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        if refusal is not None:
            await answer(refusal)(scope, receive, send_with_id)
            return
        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            log.info("request %s: the client left before it was read", request_id)
        except Exception as fault:  # whatever no handler below expected; the process goes on
            if started:
                raise
            log.exception("request %s failed", request_id)
            await answer(fault)(scope, receive, send_with_id)


def _admit(headers: Headers) -> tuple[str, BadRequest | None]:
    """The request's id, and why it is refused, if it is."""
    given = headers.getlist(REQUEST_ID)
    made = uuid.uuid4().hex
    for name in _REFUSED:
        if name in headers:
            return made, UnsupportedField(f"header {name} is not for clients", param=name)
    if not given:
        return made, None
    if len(given) > 1:
        return made, BadRequest(f"header {REQUEST_ID} is given twice", param=REQUEST_ID)
    try:
        return check_session_id(given[0], REQUEST_ID), None
    except BadRequest as refusal:
        return made, refusal
