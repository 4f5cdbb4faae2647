"""The `data:` lines of a stream of server-sent events, from bytes that are cut anywhere. Pure."""

from collections.abc import Iterator

from app.errors import LanguageModelFailed

MAX_LINE_BYTES = 1_048_576


class EventLines:
    def __init__(self) -> None:
        self._rest = b""
        self.has_any = False  # a line has come

    def feed(self, content: bytes) -> Iterator[bytes]:
        """What stands behind `data:` in each line that is complete now. Comments and other fields
        are left out. Raises LanguageModelFailed for a line that is too long."""
        *lines, self._rest = (self._rest + content).replace(b"\r\n", b"\n").split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            message = f"the language model failed: a line has more than {MAX_LINE_BYTES} bytes"
            raise LanguageModelFailed(message, code="llm_invalid")
        for line in lines:
            self.has_any = True
            if line.startswith(b"data:"):
                yield line.removeprefix(b"data:").strip()
