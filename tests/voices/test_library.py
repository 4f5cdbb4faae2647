"""The voice library: a voice belongs to its tenant, and its recording is stored once."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace

import pytest

from app.core import VoiceKind, VoiceRef
from app.errors import BadRequest, ConfigError, Conflict, NotFound, StorageAway, StorageFull
from app.voices import library as voice_library
from app.voices.library import VoiceLibrary
from app.voices.recordings import Recording
from app.voices.speech_activity import Heard
from tests.support import failing_store
from tests.support.failing_store import FailingStore

HEARD = Heard(5.5, -20.1, None, 0.002, ("clipped",))


@pytest.fixture
def library(tmp_path):
    return VoiceLibrary(str(tmp_path / "library"))


def add(library, tenant="red", name="Ann", flac=b"recording"):
    recording = Recording(flac, 6.0, HEARD)
    return library.add(tenant, name, recording=recording, consent="I agree.", made_by="red-key")


def files(tmp_path):
    return sorted(path.name for path in (tmp_path / "library").rglob("*") if path.is_file())


def test_only_the_server_can_read_voices_and_recordings(library, tmp_path):
    add(library)
    library.keep(b"recording", library.new_reference())
    modes = {path: path.stat().st_mode & 0o777 for path in (tmp_path / "library").rglob("*")}
    modes[tmp_path / "library"] = (tmp_path / "library").stat().st_mode & 0o777
    assert sum(path.is_file() for path in modes) == 3
    for path, mode in modes.items():
        assert mode == (0o600 if path.is_file() else 0o700), path


def test_a_folder_that_the_operator_made_keeps_its_mode(tmp_path):
    (tmp_path / "library").mkdir(mode=0o750)
    add(VoiceLibrary(str(tmp_path / "library")))
    assert (tmp_path / "library").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "library" / "voices").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("by", ["id", "name"])
def test_only_its_tenant_finds_a_voice(library, by):
    voice = add(library)
    assert library.find("red", getattr(voice, by)) == voice
    assert library.find("blue", getattr(voice, by)) is None
    with pytest.raises(NotFound):
        library.get("blue", voice.id)
    assert library.all("blue") == ()


def test_another_process_sees_a_change_after_fresh_s(library, tmp_path, monkeypatch):
    other = VoiceLibrary(str(tmp_path / "library"))
    assert other.all("red") == ()
    voice = add(library)
    monkeypatch.setattr(voice_library, "FRESH_S", 0)
    assert other.all("red") == (voice,)
    library.delete("red", voice.id)
    assert other.all("red") == ()


def test_a_list_is_read_again_after_half_a_second(library, monkeypatch):
    """The documentation promises half a second."""
    clock = SimpleNamespace(now_s=100.0)
    monkeypatch.setattr(voice_library, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    read_at_s = []
    read_all = VoiceLibrary._read_all

    def reading(*arguments):
        read_at_s.append(clock.now_s)
        return read_all(*arguments)

    monkeypatch.setattr(VoiceLibrary, "_read_all", reading)
    for clock.now_s in (100.0, 100.4, 100.6):
        library.all("red")
    assert read_at_s == [100.0, 100.6]


def test_a_voice_has_a_new_id_and_no_file_with_its_name(library, tmp_path):
    voice = add(library, name="Ann")
    assert voice.id.startswith("voice_")
    assert len(voice.id) == 38
    assert all("Ann" not in name for name in files(tmp_path))
    assert voice.ref == VoiceRef(voice.reference, VoiceKind.UPLOADED)


@pytest.mark.parametrize("voice_id", ["../x", "voice_" + "0" * 32, "", "voice_/../../x", "\0"])
def test_a_malformed_or_unknown_id_is_not_found(library, voice_id):
    add(library)
    with pytest.raises(NotFound):
        library.get("red", voice_id)


def test_the_same_recording_is_stored_once_per_tenant(library):
    one, two = add(library, name="One"), add(library, name="Two")
    foreign = add(library, "blue", "One")
    assert one.reference == two.reference != foreign.reference


def test_a_recording_and_its_conditionals_are_deleted_with_its_last_voice(library, tmp_path):
    one, two = add(library, name="One"), add(library, name="Two")
    conditionals = tmp_path / "library" / "references" / f"{one.reference}.abc.model.safetensors"
    conditionals.write_bytes(b"conditionals")
    library.delete("red", one.id)
    assert conditionals.exists()
    library.delete("red", two.id)
    assert files(tmp_path) == []


@pytest.mark.parametrize("taken", ["Ann", "Annie"])
def test_a_name_can_be_used_once_within_a_tenant(library, taken):
    ann = add(library)
    library.change("red", ann.id, None, ("Annie",))
    with pytest.raises(Conflict):
        add(library, name=taken, flac=b"another")
    bob = add(library, name="Bob", flac=b"another")
    with pytest.raises(Conflict):
        library.change("red", bob.id, taken, None)
    assert add(library, "blue", taken)


def test_a_renamed_voice_keeps_its_aliases(library):
    voice = library.change("red", add(library).id, None, ("Annie", "A"))
    renamed = library.change("red", voice.id, "Anna", None)
    assert (renamed.name, renamed.aliases) == ("Anna", ("Annie", "A"))
    assert library.find("red", "Annie") == renamed
    assert library.find("red", "Ann") is None


def test_a_tenant_keeps_at_most_max_voices(library, monkeypatch):
    monkeypatch.setattr(voice_library, "MAX_VOICES", 1)
    add(library)
    with pytest.raises(BadRequest):
        add(library, name="Bob")


def test_a_dropped_recording_leaves_nothing_and_may_be_dropped_again(library, tmp_path):
    reference = library.new_reference()
    library.keep(b"recording", reference)
    assert files(tmp_path) == [f"{reference}.flac"]
    library.drop(reference)
    library.drop(reference)
    assert files(tmp_path) == []


def test_what_was_heard_is_kept_with_the_voice(library, tmp_path):
    voice = add(library)
    assert VoiceLibrary(str(tmp_path / "library")).get("red", voice.id).heard == HEARD


def test_a_voice_of_a_version_that_heard_nothing_is_still_found(library, tmp_path):
    voice = add(library)
    (path,) = (tmp_path / "library" / "voices").rglob("*.json")
    fields = json.loads(path.read_text())
    del fields["heard"]
    path.write_text(json.dumps(fields))
    kept = VoiceLibrary(str(tmp_path / "library")).get("red", voice.id)
    assert (kept.heard, kept.name) == (None, "Ann")


def test_any_fsspec_url_can_hold_a_library():
    library = VoiceLibrary("memory://voices")
    voice = add(library)
    assert library.all("red") == (voice,)
    library.delete("red", voice.id)
    assert library.all("red") == ()


@pytest.mark.parametrize("url", ["nowhere://x", "/proc/nowhere/x"])
def test_a_url_that_cannot_be_written_stops_the_start(url):
    with pytest.raises(ConfigError, match="uploads"):
        VoiceLibrary(url)


# -- a store that fails ----------------------------------------------------------------------------


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """A library whose file system fails as the test sets it."""
    monkeypatch.setattr(FailingStore, "error", None)
    monkeypatch.setattr(FailingStore, "room", None)
    monkeypatch.setattr(voice_library, "FRESH_S", 0)
    return VoiceLibrary(f"failing://{tmp_path / 'library'}")


@pytest.mark.parametrize("room", [0, 3, len(b"recording"), len(b"recording") + 20])
def test_a_full_disk_refuses_a_voice_and_leaves_nothing_of_it(failing, tmp_path, monkeypatch, room):
    kept = add(failing, name="Kept", flac=b"another")
    before = files(tmp_path)
    monkeypatch.setattr(FailingStore, "room", room)
    with pytest.raises(StorageFull):
        add(failing)
    assert files(tmp_path) == before
    assert failing.all("red") == (kept,)
    monkeypatch.setattr(FailingStore, "room", None)
    assert add(failing)


def test_a_failed_voice_leaves_the_recording_that_another_voice_uses(
    failing, tmp_path, monkeypatch
):
    kept = add(failing, name="Kept")
    monkeypatch.setattr(FailingStore, "room", len(b"recording"))
    with pytest.raises(StorageFull):
        add(failing, name="Twin")
    assert f"{kept.reference}.flac" in files(tmp_path)


@pytest.mark.parametrize("error", [failing_store.SLOW, failing_store.GONE])
def test_only_listed_voices_are_found_while_the_store_is_away(failing, monkeypatch, error):
    voice = add(failing)
    assert failing.all("red") == (voice,)
    monkeypatch.setattr(FailingStore, "error", error)
    with pytest.raises(StorageAway):
        add(failing, name="Bob")
    assert failing.find("red", "Ann") == voice
    with pytest.raises(StorageAway):
        failing.find("blue", "Ann")


def test_a_deleted_voice_is_not_found_while_the_store_is_away(failing, monkeypatch):
    voice = add(failing)
    failing.delete("red", voice.id)
    monkeypatch.setattr(FailingStore, "error", failing_store.SLOW)
    assert failing.all("red") == ()


def test_a_store_that_is_away_stops_the_start(tmp_path, monkeypatch):
    monkeypatch.setattr(FailingStore, "error", failing_store.GONE)
    with pytest.raises(ConfigError, match=r"uploads: cannot use failing://.*: could not connect"):
        VoiceLibrary(f"failing://{tmp_path}")


@pytest.mark.parametrize("is_one_process", [True, False])
def test_two_adds_of_one_name_at_once_make_at_most_one_voice(tmp_path, monkeypatch, is_one_process):
    one = VoiceLibrary(str(tmp_path / "library"))
    other = one if is_one_process else VoiceLibrary(str(tmp_path / "library"))
    together = threading.Barrier(2)

    def keep(library, flac, reference):  # after both have found the name free, where they can
        with suppress(threading.BrokenBarrierError):
            together.wait(0.2)
        kept(library, flac, reference)

    kept = VoiceLibrary.keep
    monkeypatch.setattr(VoiceLibrary, "keep", keep)
    with ThreadPoolExecutor(2) as pool:
        adding = [
            pool.submit(add, library, flac=flac)
            for library, flac in ((one, b"one"), (other, b"other"))
        ]
    errors = [call.exception() for call in adding]
    assert all(error is None or isinstance(error, Conflict) for error in errors)
    voices = VoiceLibrary(str(tmp_path / "library")).all("red")
    assert len(voices) == errors.count(None) <= 1
    assert len(files(tmp_path)) == 2 * len(voices)  # a refused add leaves nothing
