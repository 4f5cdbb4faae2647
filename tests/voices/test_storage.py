"""The errors of a store become StorageFull or StorageAway, and a failed write leaves nothing."""

import errno
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from app.errors import ServeError, StorageAway, StorageFull
from app.voices.storage import Storing, put_whole
from tests.support import failing_store
from tests.support.failing_store import FailingStore

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("error", "translated"),
    [
        (OSError(errno.ENOSPC, "full"), StorageFull),
        (OSError(errno.EDQUOT, "quota"), StorageFull),
        (failing_store.SLOW, StorageAway),
        (failing_store.GONE, StorageAway),
        (PermissionError("no"), StorageAway),
        (FileNotFoundError("not there"), FileNotFoundError),
        (ValueError("ours"), ValueError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=lambda case: getattr(case, "__name__", type(case).__name__),
)
def test_only_errors_of_a_store_are_translated(error, translated):
    with pytest.raises(translated) as raised, Storing("voices"):
        raise error
    if issubclass(translated, ServeError):
        assert raised.value.__cause__ is error
        assert "voices" in raised.value.message


def test_a_written_file_is_whole_and_alone(tmp_path):
    put_whole(LocalFileSystem(), f"{tmp_path}/a", b"content")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"content")]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    files = fsspec.filesystem("failing")
    put_whole(files, f"{tmp_path}/a", b"before")
    monkeypatch.setattr(FailingStore, "room", 3)
    with pytest.raises(OSError, match="No space"):
        put_whole(files, f"{tmp_path}/a", b"after")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"before")]


ON_A_FULL_DISK = """
import sys
from pathlib import Path
from app.errors import StorageFull
from app.voices.library import VoiceLibrary
from app.voices.recordings import Recording
from app.voices.speech_activity import Heard

def add(name, flac):
    recording = Recording(flac, 6.0, Heard(5.5, -20.0, None, 0.0, ()))
    return library.add("red", name, recording=recording, consent="Yes.", made_by="key")

folder = Path(sys.argv[1])
library = VoiceLibrary(str(folder / "library"))
kept = add("small", b"x" * 1000)
before = sorted(path for path in folder.rglob("*") if path.is_file())
try:
    add("large", b"y" * 100_000)
except StorageFull as error:
    sys.stdout.write(error.code)
assert sorted(path for path in folder.rglob("*") if path.is_file()) == before
assert library.all("red") == (kept,)
assert add("another", b"z" * 1000)
"""


def test_a_really_full_disk_raises_storage_full_and_its_voices_go_on(tmp_path):
    mount = 'mount -t tmpfs -o size=64k tmpfs "$0" && exec "$@"'
    alone = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, str(tmp_path)]
    try:
        can_mount = subprocess.run([*alone, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is not installed")
    if can_mount.returncode:
        pytest.skip("no file system can be mounted here")
    command = [*alone, sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "storage_full"), ended.stderr
