"""What a store's faults are called. Every file system has its own; callers are told one of two.

fsspec's file systems raise OSError, and those of object stores also what their client libraries
raise. A file that is not there is an answer, not a fault, and passes. Knows nothing about what is
stored.
"""

import errno
import logging
import secrets
from contextlib import suppress
from types import TracebackType

from fsspec import AbstractFileSystem

from app.errors import StorageAway, StorageFull

log = logging.getLogger(__name__)

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_CLIENTS = frozenset({"aiohttp", "azure", "botocore", "gcsfs", "google", "requests", "urllib3"})


class Storing:
    """A block of calls on a store. Raises StorageFull or StorageAway where one of them fails."""

    def __init__(self, what: str) -> None:
        """`what` is stored there, as the message calls it."""
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if fault is None or isinstance(fault, FileNotFoundError) or not _is_of_a_store(fault):
            return
        log.error("the store of %s failed: %s: %s", self._what, type(fault).__name__, fault)
        if isinstance(fault, OSError) and fault.errno in _NO_ROOM:
            raise StorageFull(f"there is no room left to store {self._what}") from fault
        raise StorageAway(f"the store of {self._what} does not answer") from fault


def put_whole(files: AbstractFileSystem, path: str, content: bytes) -> None:
    """Whole or not at all, whoever reads beside it. Raises what the file system does."""
    partial = f"{path}.{secrets.token_hex(8)}.partial"
    is_whole = False
    try:
        files.pipe_file(partial, content)
        files.mv(partial, path)
        is_whole = True
    finally:
        if not is_whole:
            with suppress(OSError):
                files.rm_file(partial)


def _is_of_a_store(fault: BaseException) -> bool:
    package = type(fault).__module__.partition(".")[0]
    return isinstance(fault, OSError) or (isinstance(fault, Exception) and package in _CLIENTS)
