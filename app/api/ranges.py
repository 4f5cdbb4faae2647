"""A whole file in an answer, or the part of it that a player asks for (RFC 9110, section 14).

Safari plays a file only from a server that answers `Range`. Knows nothing about speech.
"""

import hashlib
import re
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.slow_readers import PART_BYTES

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,20})\s*-\s*(\d{0,20})\s*", re.IGNORECASE)


def file_answer(
    content: bytes, media_type: str, asked: Headers, headers: Mapping[str, str]
) -> Response:
    """`asked` are the headers of the request. Several ranges, and a range in another unit, get the
    whole file, as the standard allows. Raises HTTPException 416 for a range behind the end."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**headers, "Accept-Ranges": "bytes", "ETag": tag}
    if _names(asked.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    found = None
    if asked.get("if-range", tag) == tag:
        found = _range_of(asked.get("range", ""), len(content))
    if found is None:
        return _File(content, 200, headers, media_type)
    told = f"bytes {found.start}-{found.stop - 1}/{len(content)}"
    part = content[found.start : found.stop]
    return _File(part, 206, {**headers, "Content-Range": told}, media_type)


def _names(header: str, tag: str) -> bool:
    """Whether the list of tags has the tag. A proxy that compresses puts `W/` before tags."""
    tags = re.split(r"\s*,\s*", header.strip())
    return tags == ["*"] or tag in (each.removeprefix("W/") for each in tags)


def _range_of(header: str, size: int) -> range | None:
    """The places of the bytes. None where the header asks for no single range of bytes."""
    matched = _RANGE.fullmatch(header)
    first, last = matched.groups() if matched else ("", "")
    if first:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
        if last and int(last) < int(first):
            return None
    elif last:  # the last bytes of the file
        start, stop = max(size - int(last), 0), size
    else:
        return None
    if start >= stop:
        message = f"Range: the file has {size} bytes"
        raise HTTPException(416, message, {"Content-Range": f"bytes */{size}"})
    return range(start, stop)


class _File(Response):
    """Sends its body in parts."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        rest = memoryview(self.body)
        while len(rest) > PART_BYTES:
            part, rest = rest[:PART_BYTES], rest[PART_BYTES:]
            await send({"type": "http.response.body", "body": bytes(part), "more_body": True})
        await send({"type": "http.response.body", "body": bytes(rest), "more_body": False})
