"""What an event's values must be, so that every part of the server can write them again as JSON.

Pure. Knows nothing about the events' shapes.
"""

import math
from collections.abc import Iterable

from app.errors import BadRequest

MAX_DEPTH = 64  # of objects and arrays within one another
_Container = dict[str, object] | list[object]


def is_unicode(text: str) -> bool:
    """Whether UTF-8 has it: half of a surrogate pair is no character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def require_plain(event: dict[str, object]) -> None:
    """Raises BadRequest, which names the wrong field."""
    waiting: list[tuple[str, int, _Container]] = [("", 1, event)]
    while waiting:
        place, depth, container = waiting.pop()
        for name, value in _parts(container):
            if isinstance(name, str) and not is_unicode(name):
                raise _refusal(place, "the name of a field has half of a surrogate pair")
            if (fault := _fault(value, depth)) is not None:
                raise _refusal(_within(place, name), fault)
            if isinstance(value, dict | list):
                waiting.append((_within(place, name), depth + 1, value))


def _parts(container: _Container) -> Iterable[tuple[str | int, object]]:
    return container.items() if isinstance(container, dict) else enumerate(container)


def _fault(value: object, depth: int) -> str | None:
    """`depth`: of what the value stands in."""
    if isinstance(value, str) and not is_unicode(value):
        return "the text has half of a surrogate pair"
    if isinstance(value, float) and not math.isfinite(value):
        return "the value must be a finite number"
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        return f"objects and arrays may stand {MAX_DEPTH} deep"
    return None


def _within(place: str, name: str | int) -> str:
    return f"{place}.{name}" if place else str(name)


def _refusal(place: str, reason: str) -> BadRequest:
    place = place[:256]
    return BadRequest(f"{place or 'the event'}: {reason}", param=place or None)
