"""The routes of the dialects that the configuration turns on. A dialect's line is here."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from fastapi import APIRouter

from app.agent_settings import DialectName
from app.api.dialects import (
    cartesia_routes,
    deepgram_routes,
    elevenlabs_routes,
    jambonz_routes,
    vapi_routes,
)
from app.api.services import Services


@dataclass(frozen=True, slots=True)
class _Routes:
    build: Callable[[Services], APIRouter]
    sockets: Mapping[str, str]  # what the OpenAPI document says of each


_ROUTES: Mapping[DialectName, _Routes] = {
    "cartesia": _Routes(cartesia_routes.routes, cartesia_routes.SOCKETS),
    "elevenlabs": _Routes(elevenlabs_routes.routes, elevenlabs_routes.SOCKETS),
    "deepgram": _Routes(deepgram_routes.routes, deepgram_routes.SOCKETS),
    "jambonz": _Routes(jambonz_routes.routes, jambonz_routes.SOCKETS),
    "vapi": _Routes(vapi_routes.routes, vapi_routes.SOCKETS),
}


def dialect_routes(services: Services, dialects: Collection[DialectName]) -> Iterator[APIRouter]:
    for name, routes in _ROUTES.items():
        if name in dialects:
            yield routes.build(services)


def dialect_sockets(dialects: Collection[DialectName]) -> dict[str, str]:
    sockets: dict[str, str] = {}
    for name, routes in _ROUTES.items():
        if name in dialects:
            sockets |= routes.sockets
    return sockets
