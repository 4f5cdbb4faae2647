"""The routes of the dialects that the configuration turns on. A dialect's line is here."""

from collections.abc import Callable, Collection, Iterator, Mapping

from fastapi import APIRouter

from app.agent_settings import DialectName
from app.api.services import Services

_ROUTES: Mapping[DialectName, Callable[[Services], APIRouter]] = {}


def dialect_routes(services: Services, dialects: Collection[DialectName]) -> Iterator[APIRouter]:
    for name, routes in _ROUTES.items():
        if name in dialects:
            yield routes(services)
