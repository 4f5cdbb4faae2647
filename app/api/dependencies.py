"""The caller of a request, whom RequestGuard has found, and the role that a route requires."""

from typing import Any

from fastapi import Depends
from starlette.requests import HTTPConnection

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
