"""A multipart body: its size is bounded, and only known fields are read."""

from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

from app.api.json_body import require_unencoded
from app.errors import BadRequest, UnknownField

MARGIN = 4  # unknown fields that are read, so that an error can name one
FRAME_BYTES = 65_536  # for the boundaries and headers of parts, besides their content


@dataclass(frozen=True, slots=True)
class Form:
    texts: dict[str, str]
    files: dict[str, bytes]

    def text(self, name: str, max_chars: int) -> str:
        """Raises BadRequest where the field is missing, empty or too long."""
        value = self.texts.get(name, "").strip()
        if not 1 <= len(value) <= max_chars:
            raise BadRequest(f"{name}: the field must have 1 to {max_chars} characters", param=name)
        return value

    def file(self, name: str) -> bytes:
        if not self.files.get(name):
            raise BadRequest(f"{name}: the field must be a file", param=name)
        return self.files[name]


async def read_form(
    request: Request, texts: tuple[str, ...], files: tuple[str, ...], max_bytes: int
) -> Form:
    """Raises HTTPException 413 and 415, UnknownField, BadRequest."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise HTTPException(415, "the body must be multipart/form-data")
    require_unencoded(request)
    bounded = Request(request.scope, _Bounded(request, max_bytes + FRAME_BYTES))
    form = await bounded.form(
        max_files=len(files) + MARGIN, max_fields=len(texts) + MARGIN, max_part_size=max_bytes
    )
    try:
        found = Form({}, {})
        for name, value in form.multi_items():
            is_file = isinstance(value, UploadFile)
            if name not in (files if is_file else texts):
                raise _misnamed(name, texts, files)
            if name in found.texts or name in found.files:
                raise BadRequest(f"field {name!r} is given twice", param=name)
            if isinstance(value, UploadFile):
                found.files[name] = await value.read(max_bytes + 1)
                if len(found.files[name]) > max_bytes:
                    raise HTTPException(413, f"{name} is larger than {max_bytes} bytes")
            else:
                found.texts[name] = value
        return found
    finally:
        await form.close()


def _misnamed(name: str, texts: tuple[str, ...], files: tuple[str, ...]) -> BadRequest:
    if name in (*texts, *files):
        kind = "a file" if name in files else "text"
        return BadRequest(f"{name}: the field must be {kind}", param=name)
    taken = f"{', '.join(texts)} (text) and {', '.join(files)} (file)"
    message = f"unknown field {name[:64]!r}; the fields are {taken}"
    return UnknownField(message, param=name[:64])


class _Bounded:
    """The `receive` of a request; raises HTTPException 413 beyond the bound."""

    def __init__(self, request: Request, max_bytes: int) -> None:
        self._receive = request.receive
        self._max_bytes = max_bytes
        self._num_bytes = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._num_bytes += len(message.get("body", b""))
        if self._num_bytes > self._max_bytes:
            raise HTTPException(413, f"the body is larger than {self._max_bytes} bytes")
        return message
