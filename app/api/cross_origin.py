"""What pages of other origins may ask and read: those that `access.origins` lists, and no other.
Pages of this server's own host may ask, too (app/api/page.py).

A listed origin may send whatever headers its client asks for, since an SDK adds its own
(`x-stainless-*` of OpenAI's), and reads every header of ours. Knows nothing about keys:
RequestGuard asks for one as of any caller.
"""

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.errors import CountRefusal, answer
from app.errors import Forbidden

EXPOSED = (
    "X-Request-ID",
    "X-Model",
    "X-Voice",
    "X-Sample-Rate",
    "X-Seed",
    "X-Dropped-Characters",
    "X-Finish-Reason",
    "X-Prebuffer-Ms",
    "X-Words-Estimated",
    "Link",
    "Retry-After",
    "X-Should-Retry",
    "Accept-Ranges",
    "Content-Range",
    "ETag",
    "Allow",
    "WWW-Authenticate",
)
MAX_TOLD_CHARS = 100


def is_own_origin(origin: str, headers: Headers) -> bool:
    """Whether the page that asks was served by this server: its origin has the host of the request.
    A TLS proxy in front changes the scheme, so the scheme does not count."""
    host = headers.get("host", "")
    return host != "" and origin in (f"http://{host}", f"https://{host}")


def refused_origin(origin: str) -> Forbidden:
    told = repr(origin[:MAX_TOLD_CHARS])
    message = f"pages of the origin {told} may not call this server; access.origins can list it"
    return Forbidden(message, code="origin_not_allowed")


def add_origins(app: FastAPI, origins: tuple[str, ...], refused: CountRefusal) -> None:
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )
    app.add_middleware(_Preflights, origins=origins, refused=refused)


class _Preflights:
    """Middleware that tells a page of an origin that is not listed why its preflight fails."""

    def __init__(self, app: ASGIApp, *, origins: tuple[str, ...], refused: CountRefusal) -> None:
        self._app = app
        self._origins = origins
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        origin = headers.get("origin")
        is_preflight = "access-control-request-method" in headers and scope["method"] == "OPTIONS"
        if not is_preflight or origin is None or origin in self._origins:
            await self._app(scope, receive, send)
            return
        refusal = refused_origin(origin)
        self._refused(refusal.code)
        await answer(refusal)(scope, receive, send)
