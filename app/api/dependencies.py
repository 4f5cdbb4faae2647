"""Who a request comes from, as routes see it: the door has let them in."""

from typing import Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from app.auth.api_keys import Caller
from app.config import Role


def caller_of(connection: HTTPConnection) -> Caller:
    caller: Caller = connection.state.caller
    return caller


def require_role(role: Role) -> Any:
    """A route's dependency: refused with 403 before anything of the body is read."""

    def check(connection: HTTPConnection) -> None:
        caller_of(connection).require(role)

    return Depends(check)
