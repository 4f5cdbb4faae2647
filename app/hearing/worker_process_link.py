"""One recogniser's process, as its parent holds it. Lives for many calls, one after another."""

import asyncio
import os
import socket
import sys
import tempfile
from contextlib import suppress

from app.hearing.messages import Abort, FromWorker, ToWorker, decode_from_worker, encode
from app.hearing.worker_process import LENGTH, MARK_BYTES, SharedMark


class WorkerProcess:
    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        mark: SharedMark,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._mark = mark
        self.used_up_to = 0  # generations of earlier calls

    @classmethod
    async def spawn(cls, python: str | None, maker: str, model: str | None) -> "WorkerProcess":
        """Returns before the recogniser is loaded. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as file:
            file.truncate(MARK_BYTES)
            mark = SharedMark(file.fileno())
            descriptors = (theirs.fileno(), file.fileno())
            try:
                process = await asyncio.create_subprocess_exec(
                    python or sys.executable,
                    *("-m", "app.hearing.worker_process", *map(str, descriptors), maker),
                    *([] if model is None else [model]),
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=descriptors,
                    env=dict(os.environ) | {"OMP_NUM_THREADS": "1"},
                )
            except OSError:
                ours.close()
                raise
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        return cls(process, reader, writer, mark)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        is_open = not (self._writer.is_closing() or self._reader.at_eof())
        return self._process.returncode is None and is_open

    @property
    def num_waiting_bytes(self) -> int:
        """That the process has not taken, without what the kernel holds."""
        return self._writer.transport.get_write_buffer_size()

    def send(self, message: ToWorker) -> None:
        if not self._writer.is_closing():
            content = encode(message)
            self._writer.write(LENGTH.pack(len(content)) + content)

    def abort(self, up_to: int) -> None:
        self._mark.set(up_to)
        self.send(Abort(up_to))

    async def receive(self) -> FromWorker | None:
        """None: the process has ended."""
        try:
            (size,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            return decode_from_worker(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            return None

    async def end(self) -> None:
        """Kills the process: it has nothing to save."""
        self._writer.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
