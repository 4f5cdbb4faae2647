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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

import fsspec
from cachetools import LRUCache

from app.engine.conditionals import Conditionals, dump_conditionals, parse_conditionals
from app.engine.voices.reference_audio import ReferenceAudio, decode_reference
from app.errors import CheckpointError, ConfigError, NotFound, StorageAway
from app.voices.keyed_locks import KeyedLocks
from app.voices.storage import Storing, put_whole

log = logging.getLogger(__name__)

Prepare = Callable[[ReferenceAudio, str], Conditionals]  # a recording and its voice's name

_VOICE = re.compile(r"[a-z0-9_-]{1,64}")
_MODEL = re.compile(r"[A-Za-z0-9._-]{1,128}")
_SUFFIXES = (".wav", ".flac")


@dataclass(frozen=True, slots=True)
class _Loaded:
    version: str  # of the recording, from its file system
    conditionals: Conditionals


class VoiceStore:
    """`url` is a folder or an fsspec URL. `cache` is one for the conditionals; None: beside the
    recordings. `model` names the enrolment weights and must change when they do.

    Raises ConfigError where there is no such folder.
    """

    def __init__(
        self,
        url: str,
        model: str,
        prepare: Prepare,
        *,
        cache: str | None = None,
        max_loaded: int = 256,
    ) -> None:
        if not _MODEL.fullmatch(model):
            raise ConfigError(
                f"{model!r} cannot be part of a file name: it may have letters, digits, dots, _, -"
            )
        self._model = model
        self._prepare = prepare
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
            self._cache_files, self._cache_root = fsspec.core.url_to_fs(cache or url)
        except (ValueError, ImportError) as error:  # an unknown protocol, or its package is missing
            raise ConfigError(f"no file system for voices at {url}: {error}") from error
        self._loaded: LRUCache[str, _Loaded] = LRUCache(max_loaded)
        self._loaded_lock = threading.Lock()
        self._voice_locks = KeyedLocks()  # held while a voice is read or prepared
        for path in self._recordings():
            if not _VOICE.fullmatch(path.stem):
                log.warning("%s is not a voice: its name must match %s", path, _VOICE.pattern)

    def names(self) -> tuple[str, ...]:
        """Every voice in the store now, sorted."""
        stems = {path.stem for path in self._recordings()}
        return tuple(sorted(stem for stem in stems if _VOICE.fullmatch(stem)))

    def get(self, voice: str) -> Conditionals:
        """The conditionals of a voice. The first call for a recording prepares them; calls at the
        same time wait for it.

        Raises NotFound, StorageAway, StorageFull, and the errors of `prepare`.
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
        with Storing("voices"):
            content = self._files.cat_file(path)
        digest = hashlib.sha256(content).hexdigest()[:16]
        prepared = f"{self._cache_root}/{voice}.{digest}.{self._model}.safetensors"
        conditionals = self._read_prepared(prepared, voice)
        if conditionals is None:
            conditionals = self._prepare(decode_reference(content, path), voice)
            self._write_prepared(prepared, conditionals)
        with self._loaded_lock:
            self._loaded[voice] = _Loaded(version, conditionals)
        return conditionals

    def _recordings(self) -> list[PurePosixPath]:
        self._files.invalidate_cache(self._root)
        try:
            with Storing("voices"):
                entries = self._files.ls(self._root, detail=False)
        except (FileNotFoundError, StorageAway) as error:
            cause = error.__cause__ or error
            raise ConfigError(f"cannot list the voices in {self._root}: {cause}") from error
        paths = [PurePosixPath(entry) for entry in entries]
        return [path for path in paths if path.suffix in _SUFFIXES]

    def _find(self, voice: str) -> tuple[str, str]:
        """The recording's path and version. A name is checked before it becomes part of a path."""
        found: list[tuple[str, str]] = []
        if _VOICE.fullmatch(voice):
            self._files.invalidate_cache(self._root)
            for suffix in _SUFFIXES:
                path = f"{self._root}/{voice}{suffix}"
                with suppress(FileNotFoundError), Storing("voices"):
                    found.append((path, str(self._files.ukey(path))))
        if not found:
            with self._loaded_lock:
                self._loaded.pop(voice, None)  # its recording was deleted
            raise NotFound(f"there is no voice {voice!r}", param="voice")
        if len(found) > 1:
            raise ConfigError(f"{found[0][0]} and {found[1][0]} are the same voice; keep one")
        return found[0]

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
            self._cache_files.makedirs(self._cache_root, exist_ok=True)
            put_whole(self._cache_files, path, dump_conditionals(conditionals))
