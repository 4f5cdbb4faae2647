"""The routes of the application, read from the application."""

from fastapi.routing import APIRoute

from app.api.app import create_app
from app.config import Limits
from tests.support.fakes import FakeSynthesizer


def routes(kind=APIRoute):
    """(method, path) of every route of this kind."""
    found = []
    for route in _walked(create_app(FakeSynthesizer(), Limits()).routes):
        if isinstance(route, kind):
            methods = getattr(route, "methods", None) or {"GET"}
            found += [(method, route.path) for method in sorted(methods)]
    return found


def _walked(items):
    for route in items:
        inner = getattr(route, "routes", None) or getattr(
            getattr(route, "original_router", None), "routes", None
        )
        if inner:
            yield from _walked(inner)
        else:
            yield route
