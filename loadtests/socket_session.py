"""One speech session of a load test over the server's WebSocket: one context, whose text is sent at
once. Records it as loadtests.session does.

Knows nothing about the caller's next action.
"""

import json
import time
from collections.abc import Mapping

from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from app.client.socket_speech import STREAM_BYTES, stream_address
from app.client.speech_client import key_headers
from loadtests.bench import Bench
from loadtests.records import Outcome, Record
from loadtests.session import Exchange, PlannedRequest

CONTEXT = "chaos"
CONNECT_S = 10.0
REFUSED_WITH = (429, 503)
KEEPALIVE = "keepalive ping timeout"  # the client itself gave the connection up


def speak_on_socket(bench: Bench, request: PlannedRequest) -> Record:
    """Returns the record, which is also added to the run log."""
    exchange = Exchange(request, bench.settings.prebuffer_s, bench.run_log.num_callers)
    exchange.sent_s = time.monotonic()
    try:
        _converse(bench, exchange)
    except InvalidStatus as error:
        exchange.status = error.response.status_code
        is_refusal = exchange.status in REFUSED_WITH
        exchange.end(Outcome.REFUSED if is_refusal else Outcome.FAILED, "at the handshake")
    except ConnectionClosed as error:
        is_silent = KEEPALIVE in str(error)
        exchange.end(Outcome.UNANSWERED if is_silent else Outcome.BROKEN, str(error))
    except TimeoutError:  # before OSError, of which it is one
        was_open = exchange.status is not None
        exchange.end(Outcome.UNANSWERED, "ReadTimeout" if was_open else "ConnectTimeout")
    except (OSError, WebSocketException) as error:
        exchange.end(Outcome.UNANSWERED, f"ConnectError: {error}")
    exchange.finish()
    record = exchange.record()
    bench.run_log.add(record)
    return record


def _converse(bench: Bench, exchange: Exchange) -> None:
    """Raises what websockets raises, and TimeoutError where nothing comes in time."""
    request = exchange.request
    with connect(
        stream_address(bench.url),
        additional_headers={**key_headers(), "X-Request-ID": exchange.session_id},
        open_timeout=CONNECT_S,
        close_timeout=1.0,
        max_size=None,
        proxy=None,
    ) as socket:
        exchange.status = 101
        fields = {**bench.stream_fields, **request.fields}
        options = {"model": bench.model, "voice": bench.voice, **fields}
        _send(socket, {"type": "start", **options, "audio": "binary"})
        _send(socket, {"type": "text", "text": request.text})
        _send(socket, {"type": "close"})
        while not _is_ended(socket.recv(bench.settings.timeout_s), exchange):
            pass


def _send(socket: ClientConnection, message: Mapping[str, object]) -> None:
    socket.send(json.dumps({"context_id": CONTEXT, **message}))


def _is_ended(frame: str | bytes, exchange: Exchange) -> bool:
    if isinstance(frame, bytes):
        exchange.receive(frame[STREAM_BYTES:])
        return False
    message = json.loads(frame)
    if (told_ms := message.get("prebuffer_ms")) is not None:
        exchange.player.tell(told_ms / 1000)
    if message["type"] == "error":
        code = str(message["error"]["code"])
        exchange.end(Outcome.REFUSED if code == "overloaded" else Outcome.BROKEN, code)
        return True
    if message["type"] == "done" and message["finish_reason"] not in ("stop", "length"):
        exchange.end(Outcome.BROKEN, f"the server reports the finish {message['finish_reason']}")
    return message["type"] in ("done", "cancelled")
