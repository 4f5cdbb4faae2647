"""The store of pronunciations: a list belongs to its tenant, and is replaced whole."""

from types import SimpleNamespace

import fsspec
import pytest

from app.errors import BadRequest, StorageAway, StorageFull
from app.text.pronunciations import Pronunciation
from app.voices import pronunciation_store
from app.voices.library import VoiceLibrary
from app.voices.pronunciation_store import MAX_KEPT, PronunciationStore
from app.voices.recordings import Recording
from app.voices.speech_activity import Heard
from tests.support import failing_store
from tests.support.failing_store import FailingStore

ONE = (Pronunciation("SQL", "sequel", "en", True),)
TWO = (*ONE, Pronunciation("Čapek", "chah peck"))


@pytest.fixture
def store(tmp_path):
    return opened(tmp_path)


def opened(tmp_path, protocol="file"):
    files, root = fsspec.core.url_to_fs(f"{protocol}://{tmp_path / 'library'}")
    return PronunciationStore(files, root)


def put(store, entries=ONE, tenant="red", voice_id=None, most=MAX_KEPT):
    store.put(tenant, voice_id, entries, most)


def files(tmp_path):
    return [path for path in (tmp_path / "library").rglob("*") if path.is_file()]


def test_a_list_is_read_as_it_was_put(store, tmp_path):
    put(store, TWO)
    assert store.get("red", None) == TWO
    assert opened(tmp_path).get("red", None) == TWO


def test_a_put_replaces_the_list(store):
    put(store, TWO)
    put(store, ONE)
    assert store.get("red", None) == ONE


def test_a_list_belongs_to_its_tenant_and_its_voice(store):
    put(store, ONE)
    put(store, TWO, voice_id="voice_1")
    assert store.get("red", "voice_1") == TWO
    assert store.get("red", None) == ONE
    assert store.get("red", "voice_2") == store.get("blue", None) == ()


def test_a_deleted_list_is_empty_and_may_be_deleted_again(store, tmp_path):
    put(store)
    store.delete("red", None)
    store.delete("red", None)
    assert store.get("red", None) == ()
    assert files(tmp_path) == []


@pytest.mark.parametrize("voice_id", ["../../x", "/etc/passwd", "søren", "a\0b"])
def test_no_text_of_a_caller_becomes_part_of_a_path(store, tmp_path, voice_id):
    put(store, voice_id=voice_id)
    (path,) = files(tmp_path)
    assert path.parent == tmp_path / "library" / "pronunciations" / "red"
    assert path.stem.isalnum()


def test_only_the_server_can_read_a_list(store, tmp_path):
    put(store)
    for path in [tmp_path / "library", *(tmp_path / "library").rglob("*")]:
        assert path.stat().st_mode & 0o777 == (0o600 if path.is_file() else 0o700), path


def test_a_tenant_keeps_at_most_a_thousand_over_all_its_lists(store):
    many = tuple(Pronunciation(f"term {number}", "x") for number in range(MAX_KEPT))
    put(store, many)
    put(store, many)  # replaces them
    with pytest.raises(BadRequest) as refused:
        put(store, ONE, voice_id="voice_1")
    assert refused.value.code == "too_many_pronunciations"
    put(store, many, tenant="blue")
    put(store, many[1:])
    put(store, ONE, voice_id="voice_1")


def test_a_key_may_have_a_lower_limit(store):
    put(store, TWO, most=2)
    with pytest.raises(BadRequest, match="at most 1 can be kept"):
        put(store, TWO, most=1)
    with pytest.raises(BadRequest):
        put(store, ONE, voice_id="voice_1", most=2)


def test_what_was_read_is_seen_until_it_is_changed(store, monkeypatch):
    clock = SimpleNamespace(now_s=100.0)
    monkeypatch.setattr(pronunciation_store, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    assert store.seen("red", None) is None
    assert store.get("red", None) == ()
    assert store.seen("red", None, within_s=0.5) == ()
    put(store)
    assert store.seen("red", None) is None
    store.get("red", None)
    clock.now_s = 100.6
    assert store.seen("red", None, within_s=0.5) is None
    assert store.seen("red", None) == ONE


def test_a_deleted_voice_takes_its_list_with_it(tmp_path):
    library = VoiceLibrary(str(tmp_path / "library"))
    recording = Recording(b"recording", 6.0, Heard(6.0, -27.0, -60.0, 0.0, ()))
    voice = library.add("red", "Ann", recording=recording, consent="I agree.", made_by="red-key")
    put(library.pronunciations, voice_id=voice.id)
    library.delete("red", voice.id)
    assert files(tmp_path) == []


# -- a store that fails ----------------------------------------------------------------------------


@pytest.fixture
def failing(tmp_path, monkeypatch):
    monkeypatch.setattr(FailingStore, "error", None)
    monkeypatch.setattr(FailingStore, "room", None)
    return opened(tmp_path, "failing")


def test_a_full_disk_keeps_the_list_as_it_was(failing, tmp_path, monkeypatch):
    put(failing, ONE)
    monkeypatch.setattr(FailingStore, "room", 10)
    with pytest.raises(StorageFull):
        put(failing, TWO)
    assert failing.get("red", None) == ONE
    assert len(files(tmp_path)) == 1


def test_a_store_that_is_away_says_so_and_what_was_read_is_still_seen(failing, monkeypatch):
    put(failing)
    failing.get("red", None)
    monkeypatch.setattr(FailingStore, "error", failing_store.GONE)
    for call in (lambda: failing.get("red", None), lambda: put(failing)):
        with pytest.raises(StorageAway):
            call()
    assert failing.seen("red", None) == ONE
