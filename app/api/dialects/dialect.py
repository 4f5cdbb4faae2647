"""What a dialect is: the translation between one vendor's frames and our own socket's messages.

A dialect is built for one socket and has that socket's state. `read` turns a frame of the client
into steps; app/api/speech_socket.py takes them one after the other. `write` turns a message of our
own socket (docs/websocket.md) into frames. A dialect sends, waits for and computes nothing, so it
is tested without a server. There is one way to speak behind every dialect: SpeechContext.

To add a dialect with a socket:

1. A module with a class that implements Dialect. It names the contexts of our socket itself
   (app/api/dialects/names.py): a vendor's ids have other rules, and may be used again.
2. A function `<name>_routes(services) -> APIRouter`. Its socket is accepted, and then
   `SpeechSocket(websocket, services, caller, socket_id, TheDialect(...)).serve()` does the rest. A
   route of HTTP builds a SpeechJob and answers with SpeechResponse (app/api/dialects/http.py).
3. A line in app/api/dialects/routes.py, and a name in app/agent_settings.py.

Rules that a dialect may rely on: after a Cancel `write` is called with nothing of that context but
the acknowledgement `cancelled`; every context has one end (`done`, `cancelled` or `error`);
`write` of an error is called before the next frame is read; `stream` is None where the error is of
a frame.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from app.api.socket_messages import Cancel, Close, Flush, Start, Text
from app.audio.formats import AudioFormat

Frame = str | bytes


@dataclass(frozen=True, slots=True)
class Opening:
    """A Start of a context. `sound`: the format instead of the one that the Start names; `silence`:
    20 ms of it, of formats without a state; empty for others. `words_once`: where the Start asks
    for words, each is told once, with both its times. `fills_gaps`: silence is sent where sound is
    late (app/api/gaps.py)."""

    start: Start
    sound: AudioFormat | None = None
    silence: bytes = b""
    words_once: bool = True
    fills_gaps: bool = True

    @property
    def context_id(self) -> str:
        return self.start.context_id


@dataclass(frozen=True, slots=True)
class Reply:
    """A frame that is sent at once."""

    frame: Frame
    context_id: str | None = None


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The client sent something so that the socket stays open."""

    context_id: str | None = None


Step = Opening | Text | Flush | Cancel | Close | Reply | KeepAlive


@dataclass(frozen=True, slots=True)
class ServerMessage:
    """A message of our own socket. `kind` and `fields` are those of docs/websocket.md; the sound of
    `audio` and the exception of `error` are not in `fields`.

    `stream` None: it is no message of a stream (a wrong frame, or a cancel of no context)."""

    kind: str
    context_id: str | None
    stream: int | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    sound: bytes = b""
    is_binary: bool = False  # the client asked for binary frames (our own protocol alone)
    error: Exception | None = None


class Dialect(Protocol):
    @property
    def ends_failed(self) -> bool:
        """Whether a context ends with the first wrong frame about it. Its speech is stopped. The
        client then is a vendor's, which takes a context without an error for whole."""

    @property
    def closes_failed(self) -> bool:
        """Whether the socket is closed behind an error: its client forgets an error that is not the
        last message."""

    def read(self, frame: str) -> Iterable[Step]:
        """A binary frame of the client is an empty text. Raises BadRequest, also after some steps:
        then the next call is `write` with the error, and the steps before it were taken."""

    def write(self, message: ServerMessage) -> Sequence[Frame]: ...
