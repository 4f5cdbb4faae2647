"""The voices of a folder or an object store of recordings.

A recording `<name>.wav` or `<name>.flac` is a voice. Its conditionals are prepared once per content
and model, and kept as `<name>.<content hash>.<model>.safetensors`: every process with the same
store finds them. While the store is away, voices in memory can still be used. Blocks on storage;
may be called from any thread. Knows nothing about enrolment.
"""

import hashlib
import logging
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

from cachetools import LRUCache

from app.engine.conditionals import Conditionals, dump_conditionals, parse_conditionals
from app.engine.voices.reference_audio import ReferenceAudio, read_reference
from app.engine.voices.reference_files import ReferenceFiles, open_file_system
from app.errors import (
    BadRequest,
    CheckpointError,
    ConfigError,
    NotEnrolled,
    NotFound,
    StorageAway,
)
from app.voices.decoder import Purpose
from app.voices.keyed_locks import KeyedLocks
from app.voices.storage import Storing, make_folder, put_whole

log = logging.getLogger(__name__)

Prepare = Callable[[ReferenceAudio, str], Conditionals]  # a recording and its voice's name

_MODEL = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class _Loaded:
    version: str  # of the recording, from its file system
    conditionals: Conditionals


class VoiceStore:
    """`url` is a folder or an fsspec URL. `cache` is one for the conditionals; None: beside the
    recordings. `model` names the enrolment weights and must change when they do. `purpose` says how
    a recording is read. Without `prepare` no recording is read: another process prepares them.

    Raises ConfigError where there is no such folder.
    """

    def __init__(
        self,
        url: str,
        model: str,
        prepare: Prepare | None,
        *,
        purpose: Purpose,
        cache: str | None = None,
        max_loaded: int = 256,
    ) -> None:
        if not _MODEL.fullmatch(model):
            raise ConfigError(
                f"{model!r} cannot be part of a file name: it may have letters, digits, dots, _, -"
            )
        self._model = model
        self._prepare = prepare
        self._purpose = purpose
        self._references = ReferenceFiles(url)
        self._cache_files, self._cache_root = open_file_system(cache or url)
        self._loaded: LRUCache[str, _Loaded] = LRUCache(max_loaded)
        self._loaded_lock = threading.Lock()
        self._voice_locks = KeyedLocks()  # held while a voice is read or prepared

    def get(self, voice: str) -> Conditionals:
        """The conditionals of a voice. The first call for a recording prepares them; calls at the
        same time wait for it.

        Raises NotFound, NotEnrolled, BadRequest, StorageAway, StorageFull, and the errors of
        `prepare`.
        """
        try:
            path, version = self._find(voice)
        except StorageAway:
            with self._loaded_lock:
                loaded = self._loaded.get(voice)
            if loaded is None:
                raise
            return loaded.conditionals
        with self._voice_locks.of(voice):
            with self._loaded_lock:
                loaded = self._loaded.get(voice)
            if loaded is not None and loaded.version == version:
                return loaded.conditionals
            return self._load(voice, path, version)

    def enrol(self, voice: str) -> None:
        """Store the conditionals, so that every process with the store can `get` them. The store is
        asked even for a voice in memory, which may have lost its file. Raises as `get`."""
        path, version = self._find(voice)
        with self._voice_locks.of(voice):
            self._load(voice, path, version)

    def _load(self, voice: str, path: str, version: str) -> Conditionals:
        """Read the voice, or prepare and store it; then keep it in memory."""
        content = self._references.read(path)
        digest = hashlib.sha256(content).hexdigest()[:16]
        prepared = f"{self._cache_root}/{voice}.{digest}.{self._model}.safetensors"
        conditionals = self._read_prepared(prepared, voice)
        if conditionals is None:
            if self._prepare is None:
                raise NotEnrolled(f"voice {voice!r} is not enrolled in the voice store")
            try:  # callers are told no path
                source = "the recording of this voice"
                reference = read_reference(content, self._purpose, source)
                conditionals = self._prepare(reference, voice)
            except BadRequest as error:
                log.warning("%s: %s", path, error)
                raise
            self._write_prepared(prepared, conditionals)
        with self._loaded_lock:
            self._loaded[voice] = _Loaded(version, conditionals)
        return conditionals

    def _find(self, voice: str) -> tuple[str, str]:
        """The recording's path and version."""
        try:
            return self._references.find(voice)
        except NotFound:
            with self._loaded_lock:
                self._loaded.pop(voice, None)  # its recording was deleted
            raise

    def _read_prepared(self, path: str, voice: str) -> Conditionals | None:
        """None where they must be prepared."""
        try:
            with Storing("prepared voices"):
                content = self._cache_files.cat_file(path)
            return parse_conditionals(content, voice, path)
        except FileNotFoundError:
            return None
        except CheckpointError as error:
            log.warning("preparing voice %s again: %s", voice, error)
            return None

    def _write_prepared(self, path: str, conditionals: Conditionals) -> None:
        """Raises where it fails: other processes would not find the voice."""
        with Storing("prepared voices"):
            make_folder(self._cache_files, self._cache_root)
            put_whole(self._cache_files, path, dump_conditionals(conditionals))
