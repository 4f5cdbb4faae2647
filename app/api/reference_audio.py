"""The recording in the field `reference_audio`: base64 in every form that clients send."""

import base64
import binascii
import re

from app.errors import BadRequest
from app.voices.recordings import MAX_BYTES

# Base64 has four characters for three bytes. Lines of 76 characters end with up to four characters
# more in JSON, where each of \r and \n is written as two.
MAX_CHARS = MAX_BYTES * 4 // 3 * 80 // 76 + 1024

_FIELD = "reference_audio"
_DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,15}:", re.IGNORECASE)
_PATH = re.compile(r"[^\s].*\.\w{2,5}|[A-Za-z]:\\.*|\\\\.*|~?/.*/.*", re.DOTALL)
_MAX_PATH_CHARS = 1024  # base64 of a recording is longer, and begins with no slash


def recording_of(field: str) -> bytes:
    """Takes a data URI, lines of any length, the URL-safe alphabet, and no padding. Raises
    BadRequest; a URL or a path is refused as such, because the server opens none."""
    text = field.strip()
    found = _DATA_URI.match(text)
    if found is None:
        _refuse_address(text)
    else:
        text = text[found.end() :]
    packed = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        content = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        message = f"{_FIELD}: the value is not valid base64"
        raise BadRequest(message, param=_FIELD) from None
    if not 1 <= len(content) <= MAX_BYTES:
        message = f"{_FIELD}: the recording must have 1 to {MAX_BYTES} bytes"
        raise BadRequest(message, param=_FIELD)
    return content


def _refuse_address(text: str) -> None:
    kind = None
    if _SCHEME.match(text):
        kind = "URL"
    elif len(text) <= _MAX_PATH_CHARS and _PATH.fullmatch(text):
        kind = "path"
    if kind is not None:
        message = f"{_FIELD}: the value is a {kind}, and the server opens none; send the recording"
        raise BadRequest(f"{message} itself in base64", param=_FIELD)
