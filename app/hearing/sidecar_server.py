"""The sidecar: a server of recognisers on a socket.

    python -m app.hearing.sidecar_server --port 8765

`/recognise` is a WebSocket of one call (app.hearing.messages). `GET /debug` lists the recognisers,
what each is doing and how many bytes wait for it. Each call's worker loop has a thread; its
recogniser is kept for later calls. The server has no keys: it listens on this machine unless it is
told otherwise. Knows nothing about voice activity.

Only the end of the process ends a thread whose recogniser hangs. The thread is left behind, and its
place is free. The server ends when the number of hanging threads reaches `num_recognisers`: its
supervisor starts it again.
"""

import argparse
import asyncio
import json
import logging
from collections import deque
from http import HTTPStatus

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from app.hearing.recogniser import MAKERS, Recogniser, load_maker
from app.hearing.sidecar_call import SidecarCall
from app.hearing.sidecar_host import PATH

log = logging.getLogger(__name__)

DEBUG_PATH = "/debug"


class SidecarServer:
    def __init__(self, maker: str, model: str | None, num_recognisers: int) -> None:
        self._maker, self._model = maker, model
        self._num_recognisers = num_recognisers
        self._idle: deque[Recogniser] = deque(maxlen=num_recognisers)
        self._calls: dict[int, SidecarCall] = {}
        self._left_behind: list[SidecarCall] = []  # their threads may hang
        self._num_calls = 0
        self.worn_out = asyncio.Event()  # too many threads hang

    def warm(self, num_recognisers: int) -> None:
        """Makes recognisers before the first call. Raises ConfigError."""
        while len(self._idle) < num_recognisers:
            self._idle.append(self._new())

    async def listen(self, host: str, port: int) -> Server:
        """Port 0: a free one. Raises OSError."""
        return await serve(
            self._serve_call,
            host,
            port,
            process_request=self._answer,
            compression=None,
            max_size=2**20,
            ping_timeout=None,  # a recogniser that holds the global lock is not a lost connection
        )

    def state(self) -> dict[str, object]:
        return {
            "num_recognisers": self._num_recognisers,
            "num_idle": len(self._idle),
            "num_hanging": self._num_hanging,
            "calls": [call.state() for call in self._calls.values()],
        }

    @property
    def _num_hanging(self) -> int:
        return sum(call.has_thread for call in self._left_behind)

    def _new(self) -> Recogniser:
        return load_maker(self._maker)(self._model)

    def _answer(self, _connection: ServerConnection, request: Request) -> Response | None:
        """None: the connection becomes a WebSocket."""
        if request.path == DEBUG_PATH:
            return _response(HTTPStatus.OK, json.dumps(self.state()))
        if request.path != PATH:
            return _response(HTTPStatus.NOT_FOUND, f"{PATH} and {DEBUG_PATH} are served")
        if len(self._calls) >= self._num_recognisers:
            return _response(HTTPStatus.SERVICE_UNAVAILABLE, "all recognisers have calls")
        return None

    async def _serve_call(self, connection: ServerConnection) -> None:
        if len(self._calls) >= self._num_recognisers:  # several came at once
            await connection.close(CloseCode.TRY_AGAIN_LATER)
            return
        self._num_calls += 1
        number = self._num_calls
        call = self._calls[number] = SidecarCall(number, self._idle, self._new)
        try:
            await call.serve(connection)
        finally:
            del self._calls[number]
            self._left_behind = [each for each in (*self._left_behind, call) if each.has_thread]
            if self._num_hanging >= self._num_recognisers:
                self.worn_out.set()


def _response(status: HTTPStatus, text: str) -> Response:
    body = text.encode()
    headers = Headers(
        {
            "Content-Type": "application/json" if text.startswith("{") else "text/plain",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }
    )
    return Response(status.value, status.phrase, headers, body)


async def _main(options: argparse.Namespace) -> None:
    server = SidecarServer(MAKERS[options.recogniser], options.model, options.num_recognisers)
    server.warm(options.num_warm)
    listening = await server.listen(options.host, options.port)
    log.warning("the sidecar listens on %s:%d", options.host, options.port)
    await server.worn_out.wait()
    listening.close()
    raise SystemExit("the recognisers of all places hang: start the sidecar again")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--recogniser", choices=sorted(MAKERS), default="pocketsphinx")
    parser.add_argument("--model", help="a local folder")
    parser.add_argument("--num-recognisers", type=int, default=4)
    parser.add_argument("--num-warm", type=int, default=1)
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
