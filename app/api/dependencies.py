"""The caller of a request, whom RequestGuard has found, the role that a route requires, and how a
socket is accepted."""

from typing import Any

from fastapi import Depends, WebSocket
from starlette.requests import HTTPConnection

from app.api.credentials import SUBPROTOCOL
from app.auth.api_keys import Caller
from app.key_settings import Role


def caller_of(connection: HTTPConnection) -> Caller:
    caller: Caller = connection.state.caller
    return caller


def require_role(role: Role) -> Any:
    """A route's dependency. A caller without the role gets a 403 before the body is read."""

    def check(connection: HTTPConnection) -> None:
        caller_of(connection).require(role)

    return Depends(check)


async def accept(websocket: WebSocket) -> None:
    """A browser that offers a subprotocol, as it does to bring its key, needs one in the answer."""
    offered = websocket.scope.get("subprotocols", [])
    await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
