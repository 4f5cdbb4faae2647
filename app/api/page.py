"""The page: the static files of app/web, at /play.

The files hold nothing secret. A server with keys gives them to everybody, and the page asks for a
key; a server without keys gives them to its own machine alone (app/auth/api_keys.py). The
page may load and call nothing but this server, and no script that stands within a document.
"""

import re
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from app.api import openapi
from app.api.request_rooms import PAGE

FOLDER = Path(__file__).parents[1] / "web"
_FILE = re.compile(r"[a-z0-9-]+\.(?:js|css|svg|html)")
_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    "media-src 'self' blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
)
HEADERS = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # asked again each time, and answered with 304
}


def page_routes() -> APIRouter:
    router = APIRouter(default_response_class=HTMLResponse)
    files = StaticFiles(directory=FOLDER)

    async def file(name: str, request: Request) -> Response:
        if not _FILE.fullmatch(name):
            raise HTTPException(404)
        response = await files.get_response(name, request.scope)
        response.headers.update(HEADERS)
        return response

    @router.get(PAGE, responses=openapi.PAGE)
    async def page(request: Request) -> Response:
        """The page that speaks, stops, and shows why. Needs no API key."""
        # The document's links are relative to a path without a slash at its end.
        if request.scope.get("raw_path", b"").endswith(b"/"):
            return RedirectResponse("../play")
        return await file("index.html", request)

    @router.get(f"{PAGE}/{{name}}", responses=openapi.PAGE_FILE)
    async def file_of_page(name: str, request: Request) -> Response:
        """A file of the page, such as its JavaScript client. Needs no API key."""
        return await file(name, request)

    return router
