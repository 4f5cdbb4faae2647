"""The path that a client means, and the answer to a path or method that is not served.

Clients join a base URL with a path, so slashes are doubled or trail, and `/v1` is missing or stands
twice. Such a path can mean one route alone, so it is served as that route, without a redirect: many
clients send no body a second time. The routes of admins alone are served at their own path only: a
proxy in front may close them by it. Every other unknown path is a 404 that names the nearest one.
Knows nothing about callers: keys, roles and limits see the path that is meant.
"""

import difflib
import re
from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.request_rooms import path_of

SPEECH = "/v1/audio/speech"
MAX_TOLD_CHARS = 100
_SLASHES = re.compile(r"/{2,}")
_REPEATED = re.compile(r"^(?:/v1)+(?=/v1(?:/|$))")
_UNVERSIONED = re.compile(r"/(?:audio|models|voices|sessions|admin|speak|text-to-speech)(?:/|$)")
_OF_ADMINS = re.compile(r"/v1/admin(?:/|$)|/v1/models/.*load$|/api/.*load")
_MAX_PARTS = 8  # of a path, in which a served path is looked for
_CONVERTER = re.compile(r":\w+(?=\})")


def normalise_path(path: str) -> str:
    """The path within the application that `path` means. A path that is right stays as it is."""
    joined = _rejoined(path)
    return path if _OF_ADMINS.match(joined) else joined


def _rejoined(path: str) -> str:
    """The path without what a wrong base URL adds."""
    path = _REPEATED.sub("", _SLASHES.sub("/", path))
    path = path.removesuffix("/") or path
    return f"/v1{path}" if _UNVERSIONED.match(path) else path


class NormalisedPaths:
    """Middleware that serves a path as the one that it means."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            given = path_of(scope)
            prefix = scope["path"].removesuffix(given)
            scope = {**scope, "path": prefix + normalise_path(given)}
        await self._app(scope, receive, send)


class ServedPaths:
    """What the router's own 404 and 405 should say."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = [route for route in routes if isinstance(route, Route)]
        self._sockets = [route for route in routes if isinstance(route, WebSocketRoute)]

    def explained(self, error: HTTPException, scope: Scope) -> HTTPException:
        path, method = path_of(scope), scope["method"]
        told = repr(path[:MAX_TOLD_CHARS])
        if error.status_code in (404, 405) and self._is_socket(path, method):
            message = f"{told} speaks WebSocket; POST {SPEECH} takes a text in one request"
            return HTTPException(426, message, {"Upgrade": "websocket", "Connection": "Upgrade"})
        if error.status_code == 404:
            message = f"there is no path {told}; the nearest is {self._nearest(path)}"
            return HTTPException(404, f"{message}. GET /openapi.json lists all")
        if error.status_code != 405:
            return error
        served = _methods(self._matching(path))
        message = f"{method[:16]} is not served at {told}; served: {served}"
        return HTTPException(405, message, {"Allow": served})

    def _is_socket(self, path: str, method: str) -> bool:
        """Whether the request was meant for a socket. A handshake is a GET; another method is meant
        for it too where the path takes no POST."""
        if method == "OPTIONS" or not any(each.path_regex.match(path) for each in self._sockets):
            return False
        return method in ("GET", "HEAD") or "POST" not in _methods(self._matching(path))

    def _matching(self, path: str) -> list[Route]:
        return [route for route in self._routes if route.path_regex.match(path)]

    def _nearest(self, path: str) -> str:
        """The served path at the end of the path, else the one that is spelled alike."""
        path = path[: 2 * MAX_TOLD_CHARS]
        starts = [at for at, char in enumerate(path) if char == "/"][:_MAX_PARTS]
        for within in (_rejoined(path[at:]) for at in starts):
            if within != "/" and (found := self._matching(within)):
                return f"{_methods(found)} {within}"
        templates = [route.path for route in self._routes]
        alike = (*difflib.get_close_matches(path, templates, 1), SPEECH)[0]
        found = [route for route in self._routes if route.path == alike]
        return f"{_methods(found)} {_CONVERTER.sub('', alike)}"


def _methods(routes: Sequence[Route]) -> str:
    served = {method for route in routes for method in route.methods or ()}
    if "GET" in served:
        served.add("HEAD")
    return ", ".join(sorted(served))
