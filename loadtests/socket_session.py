"""One speech session of a load test over a socket: one context, whose text is sent at once, in our
own protocol or in another that the server speaks. Records it as loadtests.session does.

Knows nothing about the caller's next action.
"""

import threading
import time

from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedOK,
    InvalidStatus,
    WebSocketException,
)
from websockets.sync.client import ClientConnection, connect

from app.client.socket_speech import FIRST_TAKE, stream_address
from app.client.speech_client import key_headers
from loadtests.bench import Bench
from loadtests.records import Outcome, Record
from loadtests.session import Exchange, PlannedRequest, finish, hold
from loadtests.spoken_sockets import SOCKETS, Read, SocketVia, SpokenSocket

CONNECT_S = 10.0
SWITCHED = 101  # the status of an open socket
REFUSED_WITH = (429, 503)
KEEPALIVE = "keepalive ping timeout"  # the client itself gave the connection up


def speak_on_socket(
    bench: Bench, request: PlannedRequest, via: SocketVia = "websocket"
) -> tuple[Record, float]:
    """As loadtests.session.speak. A stop by a call is a message; a caller who hangs up closes the
    socket. The session of the record is the context's first take."""
    exchange = Exchange(request, bench.settings.prebuffer_s, bench.run_log.num_callers)
    call = SocketCall(SOCKETS[via])
    hold(bench, exchange, call.listen, call.stop)
    return finish(bench, exchange)


class SocketCall:
    """One context on a socket of its own. `listen` and `stop` run in two threads."""

    def __init__(self, talk: SpokenSocket) -> None:
        self._talk = talk
        self._socket: ClientConnection | None = None
        self._is_open = threading.Event()  # also set where it will never be

    def listen(self, bench: Bench, exchange: Exchange) -> None:
        exchange.sent_s = time.monotonic()
        try:
            self._converse(bench, exchange)
        except InvalidStatus as error:
            exchange.status = error.response.status_code
            is_refusal = exchange.status in REFUSED_WITH
            exchange.end(Outcome.REFUSED if is_refusal else Outcome.FAILED, "at the handshake")
        except ConnectionClosedOK as error:
            if exchange.cancelled_s is None:
                exchange.end(Outcome.BROKEN, str(error))
            else:
                _obeyed(exchange, None)
        except ConnectionClosed as error:
            is_silent = KEEPALIVE in str(error)
            exchange.end(Outcome.UNANSWERED if is_silent else Outcome.BROKEN, str(error))
        except TimeoutError:  # before OSError, of which it is one
            was_open = exchange.status is not None
            exchange.end(Outcome.UNANSWERED, "ReadTimeout" if was_open else "ConnectTimeout")
        except (OSError, WebSocketException) as error:
            exchange.end(Outcome.UNANSWERED, f"ConnectError: {error}")
        finally:
            self._is_open.set()

    def stop(self, bench: Bench, exchange: Exchange) -> None:
        within_s = bench.settings.ack_within_s
        self._is_open.wait(within_s)
        if self._socket is None or exchange.done.is_set():
            _obeyed(exchange, "already_done")
            return
        try:
            self._socket.send(self._talk.stop)
            if self._talk.leave is not None:
                self._socket.send(self._talk.leave)
        except ConnectionClosed:  # `listen` tells why
            return
        exchange.done.wait(within_s)

    def _converse(self, bench: Bench, exchange: Exchange) -> None:
        """Raises what websockets raises, and TimeoutError where nothing comes in time."""
        request, talk = exchange.request, self._talk
        voice = str(request.voice or bench.voice)
        with connect(
            stream_address(bench.url, talk.path(voice)),
            additional_headers={**key_headers(), "X-Request-ID": exchange.session_id},
            open_timeout=CONNECT_S,
            close_timeout=1.0,
            max_size=None,
            proxy=None,
        ) as socket:
            exchange.session_id = FIRST_TAKE.format(socket_id=exchange.session_id)
            exchange.status = SWITCHED
            fields = {"model": bench.model, **bench.stream_fields, **request.fields}
            for frame in talk.opening(voice, request.text, fields):
                socket.send(frame)
            self._socket = socket
            self._is_open.set()
            self._receive(socket, exchange, bench.settings.timeout_s)

    def _receive(self, socket: ClientConnection, exchange: Exchange, timeout_s: float) -> None:
        """Until the context ends or the caller leaves."""
        leaves_s = exchange.leaves_s
        while True:
            left_s = timeout_s
            if leaves_s is not None:
                left_s = min(timeout_s, exchange.sent_s + leaves_s - time.monotonic())
            try:
                frame = socket.recv(max(0.0, left_s))
            except TimeoutError:
                if left_s == timeout_s:
                    raise
                exchange.end(Outcome.LEFT)
                return
            if _is_ended(self._talk.read(frame), exchange):
                return


def _is_ended(said: Read, exchange: Exchange) -> bool:
    if said.sound:
        exchange.receive(said.sound)
    if said.prebuffer_ms is not None:
        exchange.player.tell(said.prebuffer_ms / 1000)
    if said.error is not None:
        is_refusal = said.error == "overloaded"
        exchange.end(Outcome.REFUSED if is_refusal else Outcome.BROKEN, said.error)
    if said.is_over and exchange.cancelled_s is not None:
        _obeyed(exchange, said.state if said.is_answer else "already_done")
    return said.is_over


def _obeyed(exchange: Exchange, state: str | None) -> None:
    exchange.acknowledged_s, exchange.ack_state = time.monotonic(), state or "stopped"
