"""Speech over the server's WebSocket, for the command line.

Synchronous, one text for each socket. docs/websocket.md describes the protocol. Knows nothing about
files or terminals.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from app.client.speech_client import SERVER_LEG, RequestFailed, Speech, unreachable

PATH = "/v1/audio/speech/stream"
CONTEXT = "say"
FIRST_STREAM = "{socket_id}-0"
FIRST_TAKE = FIRST_STREAM + "-0"
STREAM_BYTES = 4  # before the audio of a binary frame
CONNECT_S = 5.0


def stream_address(url: str, path: str = PATH) -> str:
    """The address of the speech socket of the server at `url`, or of another socket of it."""
    return f"ws{url.removeprefix('http')}{path}"


@contextmanager
def speak_over_socket(
    url: str, headers: Mapping[str, str], options: Mapping[str, object], text: str, socket_id: str
) -> Iterator[Speech]:
    """`options` are fields of the `start` message. `session_id` of the speech is the first take.
    Leaving the block before `pcm` ends closes the socket, and so cancels the speech. Raises
    RequestFailed."""
    began_s = time.monotonic()
    try:
        with connect(
            stream_address(url),
            additional_headers={**headers, "X-Request-ID": socket_id},
            open_timeout=CONNECT_S,
            max_size=None,
            proxy=None,
        ) as socket:
            connected_s = time.monotonic()
            _send(socket, "start", **{**options, "audio": "binary"})
            _started(socket)
            started_s = time.monotonic()
            _send(socket, "text", text=text)
            _send(socket, "close")
            legs = {
                "handshake": connected_s - began_s,
                "start to started": started_s - connected_s,
            }
            session_id = FIRST_TAKE.format(socket_id=socket_id)
            whole_id = FIRST_STREAM.format(socket_id=socket_id)
            pcm = _audio(socket)
            yield Speech(session_id, pcm, began_s, legs, rest=SERVER_LEG, whole_id=whole_id)
    except InvalidStatus as error:
        status = error.response.status_code
        raise RequestFailed(
            f"the server refused the socket with status {status}", status
        ) from error
    except ConnectionClosed as error:
        raise RequestFailed(f"the server closed the socket: {error}") from error
    except WebSocketException as error:
        raise RequestFailed(f"{url}: {error}") from error
    except OSError as error:  # refused, or no answer in time
        raise unreachable(url, error) from error


def _send(socket: ClientConnection, kind: str, **fields: object) -> None:
    given = {name: value for name, value in fields.items() if value is not None}
    socket.send(json.dumps({"type": kind, "context_id": CONTEXT, **given}))


def _started(socket: ClientConnection) -> None:
    message = _read(socket.recv())
    if message["type"] != "started":
        raise RequestFailed(f"the server answered {message['type']} where started was due")


def _audio(socket: ClientConnection) -> Iterator[bytes]:
    """Whole 16-bit samples, until the context ends."""
    for frame in socket:
        if isinstance(frame, bytes):
            yield frame[STREAM_BYTES:]
        elif _read(frame)["type"] in ("done", "cancelled"):
            return


def _read(frame: str | bytes) -> dict[str, object]:
    message: dict[str, object] = json.loads(frame)
    error = message.get("error")
    if message["type"] == "error" and isinstance(error, dict):
        raise RequestFailed(str(error["message"]))
    return message
