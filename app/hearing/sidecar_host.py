"""Recognisers in a server of their own, as a call reaches them: one WebSocket for a call."""

import asyncio
from collections import deque
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from app.errors import Overloaded, Unavailable
from app.hearing.messages import Abort, FromWorker, ToWorker, decode_from_worker, encode

CONNECT_S = 3.0
CLOSE_S = 1.0
PATH = "/recognise"


class SidecarHost:
    """Implements app.hearing.recogniser_host.RecogniserHost."""

    def __init__(self, url: str) -> None:
        """`url`: ws://host:port."""
        self._url = url.rstrip("/") + PATH
        self._links: set[SidecarLink] = set()

    async def lease(self) -> "SidecarLink":
        try:
            connection = await connect(
                self._url,
                open_timeout=CONNECT_S,
                close_timeout=CLOSE_S,
                compression=None,
                proxy=None,
                max_size=None,
            )
        except InvalidStatus as error:
            if error.response.status_code == 503:
                raise Overloaded("all recognisers of the sidecar have calls") from error
            raise Unavailable(f"the sidecar at {self._url} refuses: {error}") from error
        except (OSError, TimeoutError, InvalidHandshake) as error:
            raise Unavailable(f"the sidecar at {self._url} does not answer: {error}") from error
        link = SidecarLink(connection, self._links.discard)
        self._links.add(link)
        return link

    async def aclose(self) -> None:
        await asyncio.gather(*(link.aclose() for link in tuple(self._links)))


class SidecarLink:
    """Implements app.hearing.recogniser_host.RecogniserLink."""

    def __init__(
        self, connection: ClientConnection, on_close: "Callable[[SidecarLink], None]"
    ) -> None:
        self._connection = connection
        self._on_close = on_close
        self._unsent: deque[ToWorker] = deque()
        self._has_unsent = asyncio.Event()
        self._writer = asyncio.create_task(self._write())

    def send(self, message: ToWorker) -> None:
        self._unsent.append(message)
        self._has_unsent.set()

    def abort(self, up_to: int) -> None:
        self._unsent.appendleft(Abort(up_to))
        self._has_unsent.set()

    async def receive(self) -> FromWorker | None:
        try:
            return decode_from_worker(await self._connection.recv(decode=False))
        except (ConnectionClosed, ValueError):
            return None

    async def aclose(self, *, is_broken: bool = False) -> None:
        """The server drops the call when its connection ends, in either case."""
        self._writer.cancel()
        self._on_close(self)
        if is_broken:
            self._connection.transport.abort()
        await self._connection.close()

    async def _write(self) -> None:
        try:
            while True:
                while self._unsent:
                    await self._connection.send(encode(self._unsent.popleft()))
                self._has_unsent.clear()
                await self._has_unsent.wait()
        except ConnectionClosed:
            return  # the reader notices, too
