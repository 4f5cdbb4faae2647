"""The JSON object in a request's body: its size is bounded, and it has one meaning only."""

import codecs
import json
from collections import Counter

from starlette.exceptions import HTTPException
from starlette.requests import Request

from app.errors import BadRequest

_GZIP = b"\x1f\x8b"


async def read_object(request: Request, max_bytes: int) -> dict[str, object]:
    """Raises HTTPException 413 and 415, and BadRequest for a body that is not one JSON object.

    A repeated key is refused, because parsers differ in the value that counts. NaN and Infinity
    pass, so that a later check can name their field.
    """
    _require_json(request)
    return parse_object(await _read(request, max_bytes), "the body")


async def read_optional_object(request: Request, max_bytes: int) -> dict[str, object]:
    """As `read_object`, but an empty body is an empty object."""
    content = await _read(request, max_bytes)
    if not content:
        return {}
    _require_json(request)
    return parse_object(content, "the body")


def require_unencoded(request: Request) -> None:
    """Raises HTTPException 415 for a compressed body."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        message = f"the body has the Content-Encoding {coding[:64]!r}; send it without one"
        raise HTTPException(415, message, {"Accept-Encoding": "identity"})


def _require_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, "the body must be application/json")


def parse_object(content: bytes, what: str) -> dict[str, object]:
    """`what` names the content in error messages. Raises BadRequest."""
    try:
        value = json.loads(_text_of(content, what), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadRequest(f"{what} is not valid JSON{where}", code="invalid_json") from error
    if not isinstance(value, dict):
        raise BadRequest(f"{what} must be a JSON object", code="invalid_json")
    return value


def _text_of(content: bytes, what: str) -> str:
    """A byte order mark is left out. Raises BadRequest for what is not UTF-8."""
    found = None
    if content.startswith(_GZIP):
        found = "compressed (gzip)"
    elif content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:4]:
        found = "UTF-16 or UTF-32"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = found or f"another encoding, such as Latin-1 (byte {error.start})"
    if found is not None:
        message = f"{what} must be UTF-8, and it looks like {found}"
        raise BadRequest(message, code="invalid_json")
    return text


async def _read(request: Request, max_bytes: int) -> bytes:
    require_unencoded(request)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > max_bytes:
            raise HTTPException(413, f"the body is larger than {max_bytes} bytes")
    return bytes(body)


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        name = next(key[:64] for key, count in counts.items() if count > 1)
        raise BadRequest(f"field {name!r} is given twice", param=name)
    return value
