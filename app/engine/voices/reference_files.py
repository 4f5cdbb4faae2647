"""The recordings of a folder or an object store: `<name>.wav` or `<name>.flac` is a voice.

Imports no torch: the application's builder asks here for names alone. Blocks on storage; may be
called from any thread. Knows nothing about the content of a recording.
"""

import logging
import re
from contextlib import suppress
from pathlib import PurePosixPath
from typing import Any

import fsspec

from app.errors import ConfigError, NotFound, StorageAway
from app.voices.storage import Storing

log = logging.getLogger(__name__)

_VOICE = re.compile(r"[a-z0-9_-]{1,64}")
_SUFFIXES = (".wav", ".flac")


class ReferenceFiles:
    """`url` is a folder or an fsspec URL. Raises ConfigError where there is no such folder."""

    def __init__(self, url: str) -> None:
        self._files, self._root = open_file_system(url)
        for path in self._recordings():
            if not _VOICE.fullmatch(path.stem):
                log.warning("%s is not a voice: its name must match %s", path, _VOICE.pattern)

    def names(self) -> tuple[str, ...]:
        """Every voice in the store now, sorted."""
        stems = {path.stem for path in self._recordings()}
        return tuple(sorted(stem for stem in stems if _VOICE.fullmatch(stem)))

    def find(self, voice: str) -> tuple[str, str]:
        """The recording's path and version. A name is checked before it becomes part of a path.
        Raises NotFound, ConfigError, StorageAway."""
        found: list[tuple[str, str]] = []
        if _VOICE.fullmatch(voice):
            self._files.invalidate_cache(self._root)
            for suffix in _SUFFIXES:
                path = f"{self._root}/{voice}{suffix}"
                with suppress(FileNotFoundError), Storing("voices"):
                    found.append((path, str(self._files.ukey(path))))
        if not found:
            raise NotFound(f"there is no voice {voice!r}", param="voice")
        if len(found) > 1:
            raise ConfigError(f"{found[0][0]} and {found[1][0]} are the same voice; keep one")
        return found[0]

    def read(self, path: str) -> bytes:
        """Raises FileNotFoundError, StorageAway."""
        with Storing("voices"):
            content: bytes = self._files.cat_file(path)
        return content

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


def open_file_system(url: str) -> tuple[Any, str]:
    """The file system of the URL, and the path in it. Raises ConfigError."""
    try:
        files, root = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:  # an unknown protocol, or its package is missing
        raise ConfigError(f"no file system for voices at {url}: {error}") from error
    return files, root
