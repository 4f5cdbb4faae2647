"""The voices an operator keeps in a folder or an object store.

A recording `<name>.wav` or `<name>.flac` is a voice. Its conditionals are prepared once per content
and model and kept as `<name>.<content hash>.<model>.safetensors`, so that every process that sees
the same store finds them. What is in memory is spoken with while the store is away. Knows nothing
about how voices are prepared. Blocks on storage; may be called from any thread.
"""

import hashlib
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

import fsspec
import numpy as np
from numpy.typing import NDArray

from app.engine.conditionals import Conditionals, dump_conditionals, parse_conditionals
from app.engine.voices.reference_audio import decode_reference
from app.errors import CheckpointError, ConfigError, NotFound, StorageAway
from app.voices.keyed_locks import KeyedLocks
from app.voices.storage import Storing, put_whole

log = logging.getLogger(__name__)

Prepare = Callable[[NDArray[np.float32], int, str], Conditionals]  # samples, their rate, voice

_VOICE = re.compile(r"[a-z0-9_-]{1,64}")
_MODEL = re.compile(r"[A-Za-z0-9._-]{1,128}")
_SUFFIXES = (".wav", ".flac")


@dataclass(frozen=True, slots=True)
class _Loaded:
    version: str  # of the recording, as its file system tells it
    conditionals: Conditionals


class VoiceStore:
    """`url` is a folder or an fsspec URL; `cache` one for the conditionals (None: beside the
    recordings). `model` names the enrolment weights and must change when they do.

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
                f"{model!r} cannot be part of a file name: letters, digits, dots, _ and -"
            )
        self._model = model
        self._prepare = prepare
        self._max_loaded = max_loaded
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
            self._cache_files, self._cache_root = fsspec.core.url_to_fs(cache or url)
        except (ValueError, ImportError) as error:  # an unknown protocol, or its package missing
            raise ConfigError(f"no file system for voices at {url}: {error}") from error
        self._lock = threading.Lock()  # of `_loaded`
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()  # the latest used at the end
        self._gates = KeyedLocks()  # by voice: held while it is read or prepared
        for path in self._recordings():
            if not _VOICE.fullmatch(path.stem):
                log.warning("%s is no voice: its name must be %s", path, _VOICE.pattern)

    def names(self) -> tuple[str, ...]:
        """Every voice there is now, sorted."""
        stems = {path.stem for path in self._recordings()}
        return tuple(sorted(stem for stem in stems if _VOICE.fullmatch(stem)))

    def get(self, voice: str) -> Conditionals:
        """Prepared at the first call for a recording, by one caller; the others wait for it.

        Raises NotFound, StorageAway, StorageFull, and what `prepare` raises.
        """
        try:
            path, version = self._find(voice)
        except StorageAway:
            with self._lock:
                loaded = self._loaded.get(voice)
            if loaded is None:
                raise
            return loaded.conditionals
        with self._gates.of(voice):
            conditionals = self._remembered(voice, version) or self._read(voice, path)
            self._remember(voice, version, conditionals)
        return conditionals

    def enrol(self, voice: str) -> None:
        """Afterwards every process that sees the store can `get` it: what is in memory here may
        have lost its file since. Raises what `get` does."""
        path, version = self._find(voice)
        with self._gates.of(voice):
            self._remember(voice, version, self._read(voice, path))

    def _remembered(self, voice: str, version: str) -> Conditionals | None:
        with self._lock:
            loaded = self._loaded.get(voice)
        return loaded.conditionals if loaded is not None and loaded.version == version else None

    def _remember(self, voice: str, version: str, conditionals: Conditionals) -> None:
        with self._lock:
            self._loaded[voice] = _Loaded(version, conditionals)
            self._loaded.move_to_end(voice)
            while len(self._loaded) > self._max_loaded:
                self._loaded.popitem(last=False)

    def _recordings(self) -> list[PurePosixPath]:
        self._files.invalidate_cache(self._root)
        try:
            with Storing("voices"):
                entries = self._files.ls(self._root, detail=False)
        except (FileNotFoundError, StorageAway) as fault:
            cause = fault.__cause__ or fault
            raise ConfigError(f"cannot list the voices in {self._root}: {cause}") from fault
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
        if not found:  # deleted: it must not stay in memory either
            with self._lock:
                self._loaded.pop(voice, None)
            raise NotFound(f"there is no voice {voice!r}", param="voice")
        if len(found) > 1:
            raise ConfigError(f"{found[0][0]} and {found[1][0]} are the same voice; keep one")
        return found[0]

    def _read(self, voice: str, path: str) -> Conditionals:
        with Storing("voices"):
            content = self._files.cat_file(path)
        digest = hashlib.sha256(content).hexdigest()[:16]
        kept = f"{self._cache_root}/{voice}.{digest}.{self._model}.safetensors"
        conditionals = self._kept(kept, voice)
        if conditionals is None:
            conditionals = self._prepare(*decode_reference(content, path), voice)
            self._keep(kept, conditionals)
        return conditionals

    def _kept(self, path: str, voice: str) -> Conditionals | None:
        try:
            with Storing("prepared voices"):
                content = self._cache_files.cat_file(path)
            return parse_conditionals(content, voice, path)
        except FileNotFoundError:
            return None
        except CheckpointError as error:
            log.warning("preparing voice %s again: %s", voice, error)
            return None

    def _keep(self, path: str, conditionals: Conditionals) -> None:
        """A voice that cannot be kept is not prepared: other processes would not find it."""
        with Storing("prepared voices"):
            self._cache_files.makedirs(self._cache_root, exist_ok=True)
            put_whole(self._cache_files, path, dump_conditionals(conditionals))
