"""The pronunciations that callers keep, beside the voice library: per tenant, in a folder or an
object store (fsspec).

    <root>/pronunciations/<tenant>/all.json          for every voice
    <root>/pronunciations/<tenant>/<digest>.json     for one voice, by the digest of its id

A list is written whole or not at all. Every process reads a list again after FRESH_S. Blocks on
storage, raises StorageAway and StorageFull; may be called from any thread. Knows nothing about
texts.
"""

import hashlib
import json
import math
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

from fsspec import AbstractFileSystem

from app.errors import BadRequest
from app.text.pronunciations import Pronunciation
from app.voices.keyed_locks import KeyedLocks
from app.voices.storage import Storing, make_folder, put_whole

FRESH_S = 0.5
MAX_KEPT = 1000  # of a tenant, over all its lists

Entries = tuple[Pronunciation, ...]


class PronunciationStore:
    def __init__(self, files: AbstractFileSystem, root: str) -> None:
        self._files = files
        self._root = f"{root}/pronunciations"
        self._tenant_locks = KeyedLocks()  # one change at a time in this process
        self._seen: dict[str, tuple[float, Entries]] = {}  # by path
        self._seen_lock = threading.Lock()

    def seen(self, tenant: str, voice_id: str | None, within_s: float = math.inf) -> Entries | None:
        """The list as this process read it in the last `within_s`. Never blocks on storage."""
        with self._seen_lock:
            at_s, entries = self._seen.get(self._path(tenant, voice_id), (-math.inf, ()))
        return entries if time.monotonic() - at_s < within_s else None

    def get(self, tenant: str, voice_id: str | None) -> Entries:
        """The list of a voice, read from the store now. None: the list for every voice."""
        now_s, path = time.monotonic(), self._path(tenant, voice_id)
        entries = self._read(path)
        with self._seen_lock:
            self._seen[path] = (now_s, entries)
        return entries

    def put(
        self, tenant: str, voice_id: str | None, entries: Sequence[Pronunciation], most: int
    ) -> None:
        """Replaces a list. Raises BadRequest where the tenant would keep more than `most`."""
        path = self._path(tenant, voice_id)
        with self._tenant_locks.of(tenant):
            most = min(most, MAX_KEPT)
            if len(entries) + self._num_kept(tenant, but=path) > most:
                message = f"pronunciations: at most {most} can be kept, over all voices"
                raise BadRequest(message, param="pronunciations", code="too_many_pronunciations")
            content = json.dumps([asdict(entry) for entry in entries]).encode()
            with Storing("pronunciations"):
                make_folder(self._files, self._folder(tenant))
                put_whole(self._files, path, content)
            self._forget(path)

    def delete(self, tenant: str, voice_id: str | None) -> None:
        """A list that is not there may be deleted."""
        path = self._path(tenant, voice_id)
        with self._tenant_locks.of(tenant):
            with suppress(FileNotFoundError), Storing("pronunciations"):
                self._files.rm_file(path)
            self._forget(path)

    def _num_kept(self, tenant: str, but: str) -> int:
        folder = self._folder(tenant)
        self._files.invalidate_cache(folder)
        with suppress(FileNotFoundError), Storing("pronunciations"):
            paths = self._files.ls(folder, detail=False)
            names = {path.rpartition("/")[2] for path in paths} - {but.rpartition("/")[2]}
            lists = (name for name in names if name.endswith(".json"))
            return sum(len(self._read(f"{folder}/{name}")) for name in lists)
        return 0

    def _read(self, path: str) -> Entries:
        with suppress(FileNotFoundError), Storing("pronunciations"):
            return tuple(Pronunciation(**each) for each in json.loads(self._files.cat_file(path)))
        return ()

    def _forget(self, path: str) -> None:
        with self._seen_lock:
            self._seen.pop(path, None)

    def _folder(self, tenant: str) -> str:
        return f"{self._root}/{tenant}"

    def _path(self, tenant: str, voice_id: str | None) -> str:
        name = "all" if voice_id is None else hashlib.sha256(voice_id.encode()).hexdigest()[:48]
        return f"{self._folder(tenant)}/{name}.json"
