"""Repeats a refusal near the client: in Serve's proxy instead of in an ingress replica.

A request, or the handshake of a socket, costs the proxy and the ingress several milliseconds
together, also where it is refused. So the first message of a refusal for asking too often says for
how long it holds, and `FloodRefusals` answers what the same caller asks for in that time. Serve
takes it from `middlewares` in app/api/slow_readers.py. A repeated refusal comes after a pause, so
that a client that asks again at once on each of its connections takes little of a core. Knows no
keys and no settings: it repeats what an ingress has said of the same credentials.
"""

import asyncio
import hashlib
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeGuard

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.credentials import secrets_of
from app.api.errors import answer, has_status
from app.api.paced_body import has_body
from app.api.paths import normalise_path
from app.api.request_rooms import room_of
from app.auth.request_limiter import Room
from app.errors import RateLimited, ServeError

MAX_KEPT = 10_000
PAUSE_S = 0.25  # before a repeated refusal
MAX_WAITING = 1000  # repeated refusals in their pause; any more come at once
_TOO_OFTEN = "too_many_requests"
_HOLDS = "chatterbox.refusal_holds"  # in the first message of an answer: limit, seconds
_REPEATED = "chatterbox.refusals_repeated"  # in a scope: the number since the last scope
_ROUTES = ("/v1/", "/cancel/", "/api/", "/health")  # after the prefix of an application


class _Caller(NamedTuple):
    credentials: bytes  # the hash of the keys, or of the address where there are none
    prefix: str  # of the application; of a socket its whole path
    room: Room


@dataclass(frozen=True, slots=True)
class _Refusal:
    limit: str
    until_s: float


def is_for_asking_too_often(refusal: ServeError | None) -> TypeGuard[RateLimited]:
    return isinstance(refusal, RateLimited) and refusal.code == _TOO_OFTEN


def marked(message: Message, refusal: ServeError | None) -> Message:
    """The first message of an answer. A proxy may repeat a refusal for asking too often."""
    if is_for_asking_too_often(refusal):
        return {**message, _HOLDS: (refusal.param, refusal.retry_after_s)}
    return message


def num_repeated(scope: Scope) -> int:
    """How many refusals the proxy has repeated since the last scope that it passed on."""
    number: int = scope.get(_REPEATED, 0)
    return number


class FloodRefusals:
    def __init__(
        self,
        app: ASGIApp,
        now: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._app = app
        self._now = now
        self._pause = pause
        self._kept: dict[_Caller, _Refusal] = {}
        self._num_repeated = self._num_waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _can_be_refused(scope):
            await self._app(scope, receive, send)
            return
        caller = _caller_of(scope)
        kept = self._kept.get(caller)
        if kept is not None and (left_s := kept.until_s - self._now()) > 0:
            self._num_repeated += 1
            refusal = RateLimited(kept.limit, left_s, _TOO_OFTEN)
            await self._wait()
            await _repeat(refusal, scope, receive, send)
            return

        async def send_noting(message: Message) -> None:
            if (held := message.get(_HOLDS)) is not None:
                limit, seconds = held
                self._keep(caller, _Refusal(limit, self._now() + seconds))
            await send(message)

        num_repeated, self._num_repeated = self._num_repeated, 0
        await self._app({**scope, _REPEATED: num_repeated}, receive, send_noting)

    async def _wait(self) -> None:
        if self._num_waiting < MAX_WAITING:
            self._num_waiting += 1
            try:
                await self._pause(PAUSE_S)
            finally:
                self._num_waiting -= 1

    def _keep(self, caller: _Caller, refusal: _Refusal) -> None:
        if len(self._kept) >= MAX_KEPT:
            now_s = self._now()
            self._kept = {who: kept for who, kept in self._kept.items() if kept.until_s > now_s}
        if len(self._kept) < MAX_KEPT:
            self._kept[caller] = refusal


def _can_be_refused(scope: Scope) -> bool:
    """A handshake only where the server can answer it with a status."""
    is_answered = scope["type"] == "websocket" and has_status(scope)
    return is_answered or scope["type"] == "http"


def _caller_of(scope: Scope) -> _Caller:
    path, is_socket = normalise_path(scope["path"]), scope["type"] == "websocket"
    headers = Headers(scope=scope)
    secrets = sorted(secrets_of(headers, is_socket))
    sent = ["key", *secrets] if secrets else ["address", str((scope.get("client") or ("",))[0])]
    credentials = hashlib.sha256("\0".join(sent).encode("utf-8", "surrogateescape")).digest()
    if is_socket:  # the sockets of other vendors have paths of their own: each stands for itself
        return _Caller(credentials, path, Room.SOCKETS)
    start = min((at for route in _ROUTES if (at := path.find(route)) >= 0), default=0)
    within = {"type": "http", "method": scope["method"], "path": path[start:]}
    return _Caller(credentials, path[:start], room_of(within))


async def _repeat(refusal: RateLimited, scope: Scope, receive: Receive, send: Send) -> None:
    headers = Headers(scope=scope)
    response = answer(refusal)
    response.headers["X-Request-ID"] = headers.get("x-request-id", uuid.uuid4().hex)[:64]
    if has_body(headers):
        response.headers["Connection"] = "close"
    await response(scope, receive, send)
