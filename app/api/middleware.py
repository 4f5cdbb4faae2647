"""The outermost middleware (pure ASGI): the id, the caller and the last error of every request.

It gives a request its id, which is the session id, and finds its caller. Before a body is read, it
refuses headers with which a client could hold a slot, pages of other origins, and callers without
a key. An unexpected exception becomes a 500 without internals. Once the headers are out, the
exception is raised again, and the server breaks the body off.
"""

import logging
import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import CountRefusal, answer, code_of
from app.auth.api_keys import Caller, KeyRing, admit
from app.errors import BadRequest, Forbidden, ServeError, UnsupportedField

log = logging.getLogger(__name__)

REQUEST_ID = "X-Request-ID"
_VALID_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Ray Serve's proxies obey these headers of any client.
_REFUSED = ("x-request-disconnect-disabled", "x-request-timeout-seconds")


def check_session_id(session_id: str, param: str) -> str:
    if not _VALID_ID.fullmatch(session_id):
        raise BadRequest(f"{param} must match [A-Za-z0-9_-]{{1,64}}", param=param)
    return session_id


OPEN_PATHS = ("/", "/health")  # for load balancers and probes, which have no key
SUBPROTOCOL = "chatterbox"
_KEY_PROTOCOL = f"{SUBPROTOCOL}.key."  # a browser cannot send a header with a socket


class RequestGuard:
    def __init__(
        self,
        app: ASGIApp,
        *,
        returns_id: bool,
        ring: KeyRing,
        origins: tuple[str, ...],
        refused: CountRefusal,
    ) -> None:
        self._app = app
        self._returns_id = returns_id
        self._ring = ring
        self._origins = origins
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id, refusal = _admit(headers)
        state = scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        if refusal is None:
            state["caller"], refusal = self._caller(scope, headers)
        if scope["type"] == "websocket":
            await self._open_socket(scope, receive, send, refusal)
            return
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if self._returns_id:
                    MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        if refusal is not None:
            self._refused(refusal.code)
            await answer(refusal)(scope, receive, send_with_id)
            return
        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            message = "request %s: the client left before its body was read"
            log.info(message, request_id, extra={"session": request_id})
        except Exception as error:  # no handler expected it; the process goes on
            if started:
                raise
            log.exception("request %s failed", request_id, extra={"session": request_id})
            self._refused(code_of(error))
            await answer(error)(scope, receive, send_with_id)

    def _caller(self, scope: Scope, headers: Headers) -> tuple[Caller | None, ServeError | None]:
        """The caller, or the refusal."""
        peer = (scope.get("client") or (None,))[0]
        is_socket = scope["type"] == "websocket"
        changes = is_socket or scope["method"] not in ("GET", "HEAD", "OPTIONS")
        origin = headers.get("origin")
        try:
            if changes and origin is not None and origin not in self._origins:
                message = "pages of this origin may not call this server"
                raise Forbidden(message, code="origin_not_allowed")
            if (
                scope["path"].removeprefix(scope.get("root_path", "")) in OPEN_PATHS
                and not self._ring.is_open
            ):
                return None, None
            return admit(self._ring, _secret(headers, is_socket), peer, headers), None
        except ServeError as refusal:
            return None, refusal

    async def _open_socket(
        self, scope: Scope, receive: Receive, send: Send, refusal: ServeError | None
    ) -> None:
        if refusal is None:
            await self._app(scope, receive, send)
            return
        log.info("socket refused: %s", refusal.code)
        self._refused(refusal.code)
        await send({"type": "websocket.close", "code": 1008, "reason": refusal.code})


def _secret(headers: Headers, is_socket: bool) -> str | None:
    """The API key that the client sent. A key in the URL does not count: logs and browser histories
    keep URLs."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if "x-api-key" in headers:
        return headers["x-api-key"]
    offered = headers.get("sec-websocket-protocol", "") if is_socket else ""
    keys = [name.strip() for name in offered.split(",") if _KEY_PROTOCOL in name]
    return keys[0].removeprefix(_KEY_PROTOCOL) if keys else None


def _admit(headers: Headers) -> tuple[str, ServeError | None]:
    """The id of the request, and the refusal, if there is one."""
    given = headers.getlist(REQUEST_ID)
    made = uuid.uuid4().hex
    for name in _REFUSED:
        if name in headers:
            return made, UnsupportedField(f"clients may not send the header {name}", param=name)
    if not given:
        return made, None
    if len(given) > 1:
        return made, BadRequest(f"header {REQUEST_ID} is given twice", param=REQUEST_ID)
    try:
        return check_session_id(given[0], REQUEST_ID), None
    except BadRequest as refusal:
        return made, refusal
