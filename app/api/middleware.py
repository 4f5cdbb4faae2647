"""The outermost middleware (pure ASGI): the id, the caller, the place and the last error of every
request.

It gives a request its id, which is the session id, finds its caller, and takes a place for it.
Before a body is read, it refuses headers with which a client could hold a slot, pages of other
origins, callers without a key, and callers that hold too much open or ask too often
(app/auth/request_limiter.py). An unexpected exception becomes a 500 without internals. Once the
headers are out, the exception is raised again, and the server breaks the body off.
"""

import logging
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.credentials import secret_of
from app.api.cross_origin import is_own_origin, refused_origin
from app.api.errors import CountRefusal, answer, code_of, has_status
from app.api.flood_refusals import is_for_asking_too_often, marked, num_repeated
from app.api.paced_body import PacedBody
from app.api.request_rooms import is_open, path_of, room_of
from app.auth.api_keys import Caller, KeyRing, admit
from app.auth.request_limiter import RequestLimiter, Room
from app.config import Limits
from app.errors import BadRequest, Forbidden, RateLimited, ServeError, UnsupportedField

log = logging.getLogger(__name__)

REQUEST_ID = "X-Request-ID"
_VALID_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VALID_TARGET = re.compile(r"[A-Za-z0-9_-]{1,96}")  # also of a context and of a take of a socket
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Ray Serve's proxies obey these headers of any client.
_REFUSED = ("x-request-disconnect-disabled", "x-request-timeout-seconds")
POLICY, TRY_AGAIN_LATER = 1008, 1013  # close codes


def check_session_id(session_id: str, param: str) -> str:
    return _checked_id(session_id, param, _VALID_ID)


def check_target_id(session_id: str) -> str:
    """Of a session that is asked about or cancelled."""
    return _checked_id(session_id, "session_id", _VALID_TARGET)


def _checked_id(session_id: str, param: str, valid: re.Pattern[str]) -> str:
    if not valid.fullmatch(session_id):
        raise BadRequest(f"{param} must match {valid.pattern}", param=param)
    return session_id


class RequestGuard:
    def __init__(
        self,
        app: ASGIApp,
        *,
        returns_id: bool,
        ring: KeyRing,
        origins: tuple[str, ...],
        limiter: RequestLimiter,
        limits: Limits,
        refused: CountRefusal,
    ) -> None:
        self._app = app
        self._returns_id = returns_id
        self._ring = ring
        self._origins = origins
        self._limiter = limiter
        self._limits = limits
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id, refusal = _checked(path_of(scope), headers)
        state = scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        for _ in range(num_repeated(scope)):
            self._refused("too_many_requests")
        body = PacedBody(headers, receive, self._limits)
        room = room_of(scope)
        with ExitStack() as places:
            try:
                if refusal is not None:
                    raise refusal
                caller = state["caller"] = self._caller(scope, headers)
                self._take_places(places, room, caller, body)
                if _is_small(scope, room):
                    self._limiter.charge(room, _name(caller))
            except ServeError as error:
                refusal = error
                self._refused(refusal.code)
                if isinstance(refusal, RateLimited) and not is_for_asking_too_often(refusal):
                    self._limiter.charge(room, _name(state["caller"]))  # no place was left
            if room is Room.SOCKETS:
                await self._open_socket(scope, receive, send, refusal)
            else:
                await self._answer(scope, room, body, send, refusal)

    async def _answer(
        self, scope: Scope, room: Room, body: PacedBody, send: Send, refusal: ServeError | None
    ) -> None:
        state, started = scope["state"], False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = marked(message, refusal)
                headers = MutableHeaders(scope=message)
                if self._returns_id:
                    headers[REQUEST_ID] = state["request_id"]
                if message["status"] >= 400 and not body.is_whole:  # the rest of it may never come
                    headers.append("Connection", "close")  # beside the "Upgrade" of a 426
                if message["status"] >= 400 and refusal is None and not _is_small(scope, room):
                    self._limiter.charge(room, _name(state["caller"]))
            await send(message)

        if refusal is not None:
            await answer(refusal)(scope, body, send_with_headers)
            return
        try:
            await self._app(scope, body, send_with_headers)
        except ClientDisconnect:
            message = "request %s: the client left before its body was read"
            log.info(message, state["request_id"], extra={"session": state["request_id"]})
        except Exception as error:  # no handler expected it; the process goes on
            if started:
                raise
            session_id = state["request_id"]
            log.exception("request %s failed", session_id, extra={"session": session_id})
            self._refused(code_of(error))
            await answer(error)(scope, body, send_with_headers)

    def _caller(self, scope: Scope, headers: Headers) -> Caller | None:
        """None for a route that needs no key. Raises ServeError."""
        is_socket = scope["type"] == "websocket"
        changes = is_socket or scope["method"] not in ("GET", "HEAD", "OPTIONS")
        origin = headers.get("origin")
        if changes and origin is not None and not self._may_call(origin, headers):
            raise refused_origin(origin)
        secret = secret_of(headers, is_socket=is_socket)
        is_open_path = is_open(path_of(scope))
        if is_open_path and not self._ring.is_open:
            return None
        peer = (scope.get("client") or (None,))[0]
        caller = admit(self._ring, secret, peer, headers)
        is_of_other_site = headers.get("sec-fetch-site") == "cross-site"
        if is_of_other_site and self._ring.is_open and not self._origins and not is_open_path:
            # An image or a link of any page sends no Origin, and here no key would be missing.
            message = "pages of other sites may not call a server without keys (access.origins)"
            raise Forbidden(message, code="origin_not_allowed")
        return caller

    def _may_call(self, origin: str, headers: Headers) -> bool:
        return origin in self._origins or is_own_origin(origin, headers)

    def _take_places(
        self, places: ExitStack, room: Room, caller: Caller | None, body: PacedBody
    ) -> None:
        """Raises RateLimited and Overloaded."""
        key = _name(caller)
        own_limit = caller.quota.max_sockets if caller and room is Room.SOCKETS else None
        places.enter_context(self._place(room, key, own_limit))

        def take(num_bytes: int) -> None:
            self._limiter.enter(Room.BODY_BYTES, key, num_bytes)
            places.callback(self._limiter.leave, Room.BODY_BYTES, key, num_bytes)

        if room is Room.REQUESTS:  # the body of a cancel needs no place that another could have
            places.callback(body.let_go)
            body.hold(self._place(Room.BODIES, key), take)

    @contextmanager
    def _place(self, room: Room, key: str, own_limit: int | None = None) -> Iterator[None]:
        self._limiter.enter(room, key, own_limit=own_limit)
        try:
            yield
        finally:
            self._limiter.leave(room, key)

    async def _open_socket(
        self, scope: Scope, receive: Receive, send: Send, refusal: ServeError | None
    ) -> None:
        if refusal is None:
            await self._app(scope, receive, send)
            return
        log.info("socket refused: %s", refusal.code)
        if has_status(scope):

            async def send_marked(message: Message) -> None:
                is_first = message["type"] == "websocket.http.response.start"
                await send(marked(message, refusal) if is_first else message)

            await answer(refusal)(scope, receive, send_marked)
            return
        code = TRY_AGAIN_LATER if refusal.status in (429, 503) else POLICY
        await send({"type": "websocket.close", "code": code, "reason": refusal.code})


def _is_small(scope: Scope, room: Room) -> bool:
    """Whether the request is cheap to ask and to answer. A POST that is refused is small, too."""
    return room is not Room.REQUESTS or scope["method"] != "POST"


def _name(caller: Caller | None) -> str:
    return "" if caller is None else caller.name


def _checked(path: str, headers: Headers) -> tuple[str, ServeError | None]:
    """The id of the request, and the refusal, if there is one."""
    given = headers.getlist(REQUEST_ID)
    made, refusal = uuid.uuid4().hex, _refusal_of(path, headers)
    if refusal is not None or not given:
        return made, refusal
    if len(given) > 1:
        return made, BadRequest(f"header {REQUEST_ID} is given twice", param=REQUEST_ID)
    try:
        return check_session_id(given[0], REQUEST_ID), None
    except BadRequest as error:
        return made, error


def _refusal_of(path: str, headers: Headers) -> ServeError | None:
    """Of what no request may have, whatever its route is."""
    if _CONTROL.search(path):  # the router would take "/v1/admin/stop\n" for its own path
        return BadRequest("the path has a control character", param="path")
    for name in _REFUSED:
        if name in headers:
            return UnsupportedField(f"clients may not send the header {name}", param=name)
    if "@" in headers.get("host", ""):
        return BadRequest("header Host: a host has no user information", param="Host")
    return None
