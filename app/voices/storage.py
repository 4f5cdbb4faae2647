"""The errors of a store, translated to StorageFull and StorageAway.

fsspec's file systems raise OSError; those of object stores also raise the errors of their client
libraries. FileNotFoundError passes unchanged: a missing file is an answer. Knows nothing about the
files.
"""

import errno
import logging
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from app.errors import StorageAway, StorageFull

log = logging.getLogger(__name__)

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_CLIENTS = frozenset({"aiohttp", "azure", "botocore", "gcsfs", "google", "requests", "urllib3"})


class Storing:
    """A block of calls on a store. Raises StorageFull or StorageAway where one of them fails."""

    def __init__(self, what: str) -> None:
        """`what` the store holds, as error messages name it."""
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, FileNotFoundError) or not _is_of_a_store(error):
            return
        log.error("the store of %s failed: %s: %s", self._what, type(error).__name__, error)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise StorageFull(f"there is no room left to store {self._what}") from error
        raise StorageAway(f"the store of {self._what} does not answer") from error


def make_folder(files: AbstractFileSystem, path: str) -> None:
    """Makes a folder and its parents where they are missing. On a local file system only the
    server's own user can open the new ones. Raises the file system's errors."""
    new = []
    if isinstance(files, LocalFileSystem):
        new = [folder for folder in (Path(path), *Path(path).parents) if not folder.exists()]
    files.makedirs(path, exist_ok=True)
    for folder in new:
        folder.chmod(0o700)


def put_whole(files: AbstractFileSystem, path: str, content: bytes) -> None:
    """Write a file whole or not at all: a reader at the same time never sees a part of it. On a
    local file system only the server's own user can read it. Raises the file system's errors."""
    partial = f"{path}.{secrets.token_hex(8)}.partial"
    is_whole = False
    try:
        if isinstance(files, LocalFileSystem):
            Path(partial).touch(mode=0o600)  # a file that is there keeps its mode
        files.pipe_file(partial, content)
        files.mv(partial, path)
        is_whole = True
    finally:
        if not is_whole:
            with suppress(OSError):
                files.rm_file(partial)


def _is_of_a_store(error: BaseException) -> bool:
    package = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or (isinstance(error, Exception) and package in _CLIENTS)
