"""A whole file in an answer, or the part of it that a player asks for (RFC 9110, section 14).

Safari plays a file only from a server that answers `Range`. Knows nothing about speech.
"""

import hashlib
import re
from collections.abc import AsyncGenerator, Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

PART_BYTES = 65_536  # the client must take each within the limit of readers
_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*", re.IGNORECASE)


def file_answer(
    content: bytes, media_type: str, asked: Headers, headers: Mapping[str, str]
) -> Response:
    """`asked` are the headers of the request. Several ranges, and a range in another unit, get the
    whole file, as the standard allows. Raises HTTPException 416 for a range behind the end."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**headers, "Accept-Ranges": "bytes", "ETag": tag}
    if tag in re.split(r"\s*,\s*", asked.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    found = None
    if asked.get("if-range", tag) == tag:
        found = _range_of(asked.get("range", ""), len(content))
    if found is None:
        return _parts_answer(content, 200, media_type, headers)
    told = f"bytes {found.start}-{found.stop - 1}/{len(content)}"
    part = content[found.start : found.stop]
    return _parts_answer(part, 206, media_type, {**headers, "Content-Range": told})


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


def _parts_answer(
    content: bytes, status: int, media_type: str, headers: Mapping[str, str]
) -> Response:
    async def parts() -> AsyncGenerator[bytes, None]:
        for at in range(0, len(content), PART_BYTES):
            yield content[at : at + PART_BYTES]

    sized = {**headers, "Content-Length": str(len(content))}
    return StreamingResponse(parts(), status, sized, media_type)
