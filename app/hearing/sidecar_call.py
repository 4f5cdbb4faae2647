"""One call in the sidecar: its connection, its worker's thread and what waits between them."""

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from app.errors import ConfigError
from app.hearing.messages import (
    Abort,
    Failed,
    FromWorker,
    Ready,
    Sound,
    ToWorker,
    decode_to_worker,
    encode,
)
from app.hearing.recogniser import Recogniser
from app.hearing.worker_loop import WorkerLoop

log = logging.getLogger(__name__)

RESET_S = 3.0  # for a thread to drop the call that has left; then the call loses it
_EVERYTHING = 2**53 - 1  # the largest generation


class SidecarCall:
    """Implements app.hearing.worker_loop.AbortMark."""

    def __init__(self, number: int, idle: deque[Recogniser], new: Callable[[], Recogniser]) -> None:
        """`idle` are recognisers that no call has; `new` makes another one."""
        self.number = number
        self.up_to = 0
        self._idle, self._new = idle, new
        self._inbox: queue.SimpleQueue[ToWorker | None] = queue.SimpleQueue()
        self._outbox: asyncio.Queue[FromWorker | None] = asyncio.Queue()  # None: the thread ended
        self._loop = asyncio.get_running_loop()
        self._recogniser: Recogniser | None = None
        self._generation = 0
        self._num_bytes_in = 0  # counted by the event loop
        self._num_bytes_out = 0  # counted by the thread
        self._is_connected = True
        self._thread = threading.Thread(target=self._work, name=f"call-{number}", daemon=True)

    @property
    def has_thread(self) -> bool:
        return self._thread.is_alive()

    def state(self) -> dict[str, object]:
        recogniser = self._recogniser
        return {
            "call": self.number,
            "is_connected": self._is_connected,  # false: the thread has not dropped the call yet
            "is_live": recogniser is not None and recogniser.live(),
            "generation": self._generation,
            "aborted_up_to": min(self.up_to, self._generation),
            "buffered_bytes": self._num_bytes_in - self._num_bytes_out,
        }

    async def serve(self, connection: ServerConnection) -> None:
        """Returns when the connection has ended and the thread has dropped the call. A thread that
        hangs is left behind after RESET_S: nothing can end it."""
        self._thread.start()
        writer = asyncio.create_task(self._write(connection))
        try:
            async for content in connection:
                self._take(decode_to_worker(_as_bytes(content)))
        except ConnectionClosed:
            pass  # dropped without a farewell
        except ValueError as error:
            log.warning("call %d: %s", self.number, error)
        finally:
            self._is_connected = False
            self.up_to = _EVERYTHING
            self._inbox.put(None)
        await asyncio.wait({writer}, timeout=RESET_S)
        if not writer.done():
            log.warning("call %d: its recogniser hangs, and is left behind", self.number)
            writer.cancel()
            await asyncio.wait({writer})

    def _take(self, message: ToWorker) -> None:
        if isinstance(message, Abort):
            self.up_to = max(self.up_to, message.up_to)
        elif isinstance(message, Sound):
            self._generation = message.generation
            self._num_bytes_in += len(message.pcm)
        self._inbox.put(message)

    async def _write(self, connection: ServerConnection) -> None:
        while (message := await self._outbox.get()) is not None:
            if self._is_connected:
                try:
                    await connection.send(encode(message))
                except ConnectionClosed:
                    continue  # the thread must still end
        await connection.close()

    def _work(self) -> None:
        """The thread of the call."""
        began_at_s = time.monotonic()
        try:
            recogniser = self._recogniser = self._idle.pop() if self._idle else self._new()
        except ConfigError as error:
            self._say(Failed(0, error.message))
            self._say(None)
            return
        self._say(Ready(began_at_s, time.monotonic()))
        try:
            WorkerLoop(recogniser, self, self._say).run(self._messages())
            recogniser.forget()
            self._idle.append(recogniser)
        finally:
            self._recogniser = None
            self._say(None)

    def _messages(self) -> Iterator[ToWorker]:
        while (message := self._inbox.get()) is not None:
            if isinstance(message, Sound):
                self._num_bytes_out += len(message.pcm)
            yield message

    def _say(self, message: FromWorker | None) -> None:
        self._loop.call_soon_threadsafe(self._outbox.put_nowait, message)


def _as_bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
