"""Values that vendors' requests have in common, and what they are here. Pure functions, which raise
BadRequest with the name of the field."""

import math
from collections.abc import Sequence
from typing import Any

from app.errors import BadRequest

ENGLISH = "en"


def language_of(given: str | None, languages: Sequence[str]) -> str | None:
    """The value of our field `language`: None where the model speaks one language only, English.
    A region (`en-US`) is dropped where the model does not name it."""
    if not given or not given.strip():
        return None
    code = given.strip().replace("_", "-").lower()
    base = code.partition("-")[0]
    if languages:
        return code if code in languages else base
    if base != ENGLISH:
        raise BadRequest("language: the model speaks English only", param="language")
    return None


def number_of(value: Any, field: str, low: float, high: float) -> float | None:
    """A number, also written as a text; None where there is none. Beyond its range it counts as the
    nearest end of the range: a preference of how to speak is no reason to refuse the text."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRequest(f"{field}: the value must be a number", param=field) from error
    if math.isnan(number):
        raise BadRequest(f"{field}: the value must be a number", param=field)
    return min(max(number, low), high)


def text_of(body: dict[str, object], field: str) -> str | None:
    """None where the field is absent or null."""
    value = body.get(field)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"{field}: the value must be a text", param=field)
    return value


def flag_of(body: dict[str, object], field: str) -> bool:
    """False where the field is absent or null."""
    value = body.get(field)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"{field}: the value must be true or false", param=field)
    return bool(value)


def object_of(body: dict[str, object], field: str) -> dict[str, object]:
    """Empty where the field is absent or null."""
    value = body.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadRequest(f"{field}: the value must be an object", param=field)
    return value
