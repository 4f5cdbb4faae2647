"""A local file system that fails when a test sets an error: `failing://` and a path."""

import errno
import os

import fsspec
from fsspec.implementations.local import LocalFileSystem

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
SLOW = TimeoutError("no answer within 5 s")


class ClientError(Exception):
    """An error as the client library of an object store raises it."""

    __module__ = "botocore.exceptions"


GONE = ClientError("could not connect to the endpoint")


class FailingStore(LocalFileSystem):
    """Every call raises `error`. A write that needs more than `room` bytes raises FULL."""

    protocol = "failing"
    error: BaseException | None = None
    room: int | None = None  # bytes; None: there is enough room

    def pipe_file(self, path, value, mode="overwrite", **options):
        self._fail()
        room = FailingStore.room
        if room is None or len(value) <= room:
            FailingStore.room = None if room is None else room - len(value)
            super().pipe_file(path, value, mode, **options)
            return
        super().pipe_file(path, value[:room], mode, **options)  # as a full disk does
        FailingStore.room = 0
        raise FULL

    def cat_file(self, path, *arguments, **options):
        self._fail()
        return super().cat_file(path, *arguments, **options)

    def ls(self, path, *arguments, **options):
        self._fail()
        return super().ls(path, *arguments, **options)

    def ukey(self, path):
        self._fail()
        return super().ukey(path)

    def makedirs(self, path, exist_ok=False):
        self._fail()
        super().makedirs(path, exist_ok)

    def rm_file(self, path):
        self._fail()
        super().rm_file(path)

    def _fail(self):
        if FailingStore.error is not None:
            raise FailingStore.error


fsspec.register_implementation("failing", FailingStore, clobber=True)
