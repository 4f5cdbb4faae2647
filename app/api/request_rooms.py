"""The room in which the door counts a request (app/auth/request_limiter.py)."""

from starlette.types import Scope

from app.auth.request_limiter import Room

OPEN_PATHS = ("/", "/health")  # for load balancers and probes, which have no key
PAGE = "/play"  # its files hold nothing secret
_SPEECH = "/v1/audio/speech/"
_CANCELS = ("/cancel/", "/v1/admin/stop", "/api/vox_stop", "/api/stop_all_vox")
_REPORTS = ("/v1/sessions/", "/api/tts_is_speaking")


def is_open(path: str) -> bool:
    """Whether a server with keys answers it without one."""
    return path in OPEN_PATHS or _is_page(path)


def _is_page(path: str) -> bool:
    return path == PAGE or path.startswith(f"{PAGE}/")


def path_of(scope: Scope) -> str:
    """The path within the application."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def room_of(scope: Scope) -> Room:
    if scope["type"] == "websocket":
        return Room.SOCKETS
    path = path_of(scope)
    if path in OPEN_PATHS:
        return Room.HEALTH
    if _is_page(path):
        return Room.PAGE
    if path.startswith(_CANCELS) or (scope["method"] == "DELETE" and path.startswith(_SPEECH)):
        return Room.CANCELS
    return Room.REPORTS if path.startswith(_REPORTS) else Room.REQUESTS
