"""A store's faults have two names, and what fails to be written leaves nothing."""

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
    ("fault", "named"),
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
def test_a_fault_of_a_store_is_named_and_no_other_is(fault, named):
    with pytest.raises(named) as raised, Storing("voices"):
        raise fault
    if issubclass(named, ServeError):
        assert raised.value.__cause__ is fault
        assert "voices" in raised.value.message


def test_nothing_is_raised_where_nothing_fails():
    with Storing("voices"):
        pass


def test_what_is_put_is_there_whole(tmp_path):
    put_whole(LocalFileSystem(), f"{tmp_path}/a", b"content")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"content")]


def test_what_cannot_be_put_leaves_what_was_there_before(tmp_path, monkeypatch):
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

def add(name, flac):
    return library.add("red", name, flac=flac, seconds=6.0, consent="Yes.", made_by="key")

folder = Path(sys.argv[1])
library = VoiceLibrary(str(folder / "library"))
kept = add("small", b"x" * 1000)
before = sorted(path for path in folder.rglob("*") if path.is_file())
try:
    add("large", b"y" * 100_000)
except StorageFull as fault:
    sys.stdout.write(fault.code)
assert sorted(path for path in folder.rglob("*") if path.is_file()) == before
assert library.all("red") == (kept,)
assert add("another", b"z" * 1000)
"""


def test_a_disk_that_is_really_full_is_named_and_what_was_there_goes_on(tmp_path):
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
