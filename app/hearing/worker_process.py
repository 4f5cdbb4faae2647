"""The process of one recogniser: `python -m app.hearing.worker_process SOCKET MARK MAKER [MODEL]`.

SOCKET is the file descriptor of a stream socket, with a message after its length; MARK that of a
file of 8 bytes, the abort mark; MAKER is app.hearing.recogniser.load_maker's path. Ends when the
socket is closed. Imports no torch, no Ray and no main module of its parent, as a start by
multiprocessing would. Knows nothing about calls.
"""

import time

IMPORTED_AT_S = time.monotonic()

import mmap  # noqa: E402  # the time of the first line is part of what is measured
import socket  # noqa: E402
import struct  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from typing import BinaryIO  # noqa: E402

from app.errors import ConfigError  # noqa: E402
from app.hearing.messages import (  # noqa: E402
    Failed,
    FromWorker,
    Ready,
    ToWorker,
    decode_to_worker,
    encode,
)
from app.hearing.recogniser import load_maker  # noqa: E402
from app.hearing.worker_loop import WorkerLoop  # noqa: E402

LENGTH = struct.Struct("<I")
MARK_BYTES = 8


class SharedMark:
    """8 bytes of memory that two processes share. An aligned word is written at once."""

    def __init__(self, descriptor: int) -> None:
        self._memory = memoryview(mmap.mmap(descriptor, MARK_BYTES)).cast("q")

    @property
    def up_to(self) -> int:
        return int(self._memory[0])

    def set(self, up_to: int) -> None:
        self._memory[0] = up_to


def _messages(stream: BinaryIO) -> Iterator[ToWorker]:
    while len(head := stream.read(LENGTH.size)) == LENGTH.size:
        yield decode_to_worker(stream.read(LENGTH.unpack(head)[0]))


def main() -> None:
    line = socket.socket(fileno=int(sys.argv[1]))
    mark = SharedMark(int(sys.argv[2]))
    maker_path, model = sys.argv[3], (sys.argv[4] if len(sys.argv) > 4 else None)

    def say(message: FromWorker) -> None:
        content = encode(message)
        line.sendall(LENGTH.pack(len(content)) + content)

    try:
        recogniser = load_maker(maker_path)(model)
    except ConfigError as error:
        say(Failed(0, error.message))
        return
    say(Ready(IMPORTED_AT_S, time.monotonic()))
    try:
        WorkerLoop(recogniser, mark, say).run(_messages(line.makefile("rb")))
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent has left


if __name__ == "__main__":
    main()
