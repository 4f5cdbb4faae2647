"""Recordings in a folder or an object store become voices, once each."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import uuid4

import fsspec
import numpy as np
import pytest
import soundfile
import torch

from app.engine.voices.reference_files import ReferenceFiles
from app.engine.voices.store import VoiceStore as AnyStore
from app.errors import (
    BadRequest,
    ConfigError,
    NotEnrolled,
    NotFound,
    StorageAway,
    StorageFull,
)
from app.voices.decoder import Purpose
from tests.support import failing_store
from tests.support.audio_samples import spoken_vowels
from tests.support.engine.conditionals import assert_same, random_conditionals
from tests.support.failing_store import FailingStore

VoiceStore = partial(AnyStore, purpose=Purpose.SPOKEN)


class Enroller:
    """Makes conditionals that depend on the recording's samples, and records its calls."""

    def __init__(self):
        self.calls = []

    def __call__(self, recording, voice):
        self.calls.append(voice)
        seed = int(np.abs(recording.wav).sum() * 1000) + recording.sample_rate
        return random_conditionals(voice, seed, num_t3_tokens=9, num_s3gen_tokens=7)


@pytest.fixture
def enrol():
    return Enroller()


def record(folder, name, seed):
    soundfile.write(folder / name, spoken_vowels(seed, 6.0), 24_000)


@pytest.fixture
def folder(tmp_path):
    record(tmp_path, "ann.wav", 1)
    record(tmp_path, "bob.flac", 2)
    return tmp_path


def test_every_recording_is_a_voice(folder, enrol):
    (folder / "notes.txt").write_text("no voice")
    store, files = VoiceStore(str(folder), "tiny", enrol), ReferenceFiles(str(folder))
    assert files.names() == ("ann", "bob")
    record(folder, "carl.wav", 3)
    assert files.names() == ("ann", "bob", "carl")
    assert store.get("carl").voice == "carl"


def test_a_recording_with_a_bad_name_is_named_in_the_log(folder, caplog):
    record(folder, "Ann Smith.wav", 3)
    assert ReferenceFiles(str(folder)).names() == ("ann", "bob")
    assert "Ann Smith.wav" in caplog.text


@pytest.mark.parametrize(
    "voice", ["carl", "", "Ann", "../ann", "ann.wav", "a/b", "a" * 65, "ann\n", "ann\0"]
)
def test_an_unknown_voice_is_not_found(folder, enrol, voice):
    (folder / "inner").mkdir()
    store = VoiceStore(str(folder / "inner"), "tiny", enrol)
    with pytest.raises(NotFound) as error:
        store.get(voice)
    assert error.value.param == "voice"


def test_a_recording_is_prepared_once_for_eight_callers_at_once(folder, enrol):
    store = VoiceStore(str(folder), "tiny", enrol)
    start = threading.Barrier(8)

    def get(voice):
        start.wait(timeout=60)
        return store.get(voice)

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(get, ["ann", "bob"] * 4))
    assert sorted(enrol.calls) == ["ann", "bob"]
    assert len({id(conditionals) for conditionals in got}) == 2


def test_two_voices_are_prepared_at_the_same_time(folder):
    together, make = threading.Barrier(2), Enroller()

    def enrol(*arguments):
        together.wait(timeout=60)  # raises where one voice waits for the other
        return make(*arguments)

    store = VoiceStore(str(folder), "tiny", enrol)
    with ThreadPoolExecutor(2) as pool:
        assert [c.voice for c in pool.map(store.get, ["ann", "bob"])] == ["ann", "bob"]


def test_another_process_finds_the_prepared_voice(folder, enrol):
    first = VoiceStore(str(folder), "tiny", enrol).get("ann")
    second = VoiceStore(str(folder), "tiny", enrol).get("ann")
    assert enrol.calls == ["ann"]
    assert_same(second, first)
    assert not [path for path in folder.iterdir() if "partial" in path.name]


def test_other_weights_prepare_the_voice_again(folder, enrol):
    VoiceStore(str(folder), "tiny", enrol).get("ann")
    VoiceStore(str(folder), "tiny-2", enrol).get("ann")
    assert enrol.calls == ["ann", "ann"]


def test_a_new_recording_with_the_same_name_is_a_new_voice(folder, enrol):
    store = VoiceStore(str(folder), "tiny", enrol)
    before = store.get("ann")
    record(folder, "ann.wav", 7)
    after = store.get("ann")
    assert not torch.equal(before.t3.speaker_emb, after.t3.speaker_emb)
    assert len(list(folder.glob("ann.*.tiny.safetensors"))) == 2


def test_the_cache_may_be_another_folder(folder, enrol, tmp_path):
    cache = tmp_path / "cache" / "of" / "voices"
    VoiceStore(str(folder), "tiny", enrol, cache=str(cache)).get("ann")
    assert len(list(cache.glob("ann.*.tiny.safetensors"))) == 1
    assert not list(folder.glob("*.safetensors"))


def test_a_damaged_cache_file_is_replaced(folder, enrol, caplog):
    whole = VoiceStore(str(folder), "tiny", enrol).get("ann")
    (kept,) = folder.glob("ann.*.safetensors")
    kept.write_bytes(kept.read_bytes()[:-100])
    assert_same(VoiceStore(str(folder), "tiny", enrol).get("ann"), whole)
    assert enrol.calls == ["ann", "ann"]
    assert kept.name in caplog.text
    VoiceStore(str(folder), "tiny", enrol).get("ann")
    assert enrol.calls == ["ann", "ann"]


def test_a_cache_that_cannot_be_written_fails_the_voice(folder, enrol):
    (folder / "file").write_text("no folder")
    store = VoiceStore(str(folder), "tiny", enrol, cache=str(folder / "file" / "cache"))
    with pytest.raises(StorageAway):
        store.get("ann")


@pytest.fixture
def failing(folder, enrol, monkeypatch):
    """A store whose file system fails as the test sets it."""
    monkeypatch.setattr(FailingStore, "error", None)
    monkeypatch.setattr(FailingStore, "room", None)
    return VoiceStore(f"failing://{folder}", "tiny", enrol)


def test_a_full_disk_fails_a_new_voice_and_leaves_nothing_of_it(failing, folder, monkeypatch):
    bob = failing.get("bob")
    monkeypatch.setattr(FailingStore, "room", 100)
    with pytest.raises(StorageFull):
        failing.get("ann")
    assert failing.get("bob") is bob
    assert sorted(path.name.split(".")[0] for path in folder.iterdir()) == ["ann", "bob", "bob"]
    monkeypatch.setattr(FailingStore, "room", None)
    assert failing.get("ann").voice == "ann"


@pytest.mark.parametrize("error", [failing_store.SLOW, failing_store.GONE])
def test_a_voice_in_memory_can_be_used_while_the_store_is_away(failing, monkeypatch, error):
    ann = failing.get("ann")
    monkeypatch.setattr(FailingStore, "error", error)
    assert failing.get("ann") is ann
    with pytest.raises(StorageAway):
        failing.get("bob")
    monkeypatch.setattr(FailingStore, "error", None)
    assert failing.get("bob").voice == "bob"


def test_a_store_that_is_away_stops_the_start_by_name(folder, enrol, monkeypatch):
    monkeypatch.setattr(FailingStore, "error", failing_store.GONE)
    with pytest.raises(ConfigError, match=r"cannot list the voices in .*: could not connect"):
        VoiceStore(f"failing://{folder}", "tiny", enrol)


def test_the_least_recently_used_voice_leaves_memory(folder, enrol):
    record(folder, "carl.wav", 3)
    store = VoiceStore(str(folder), "tiny", enrol, max_loaded=2)
    ann, bob = store.get("ann"), store.get("bob")
    assert store.get("ann") is ann
    store.get("carl")
    assert store.get("ann") is ann
    assert store.get("bob") is not bob  # it was read again from its file
    assert enrol.calls == ["ann", "bob", "carl"]


def test_a_failed_enrolment_fails_its_caller_and_is_repeated_later(folder, enrol):
    (folder / "ann.wav").write_text("no sound")
    store = VoiceStore(str(folder), "tiny", enrol)
    with pytest.raises(BadRequest, match=r"recording of this voice is no WAV, FLAC"):
        store.get("ann")
    record(folder, "ann.wav", 1)
    assert store.get("ann").voice == "ann"


def as_wav(seconds):
    file = io.BytesIO()
    soundfile.write(file, spoken_vowels(1, seconds), 24_000, format="WAV")
    return file.getvalue()


@pytest.mark.parametrize(
    "content", [b"", b"no sound", as_wav(4.0), as_wav(6.0)[:30]], ids=["0", "no", "short", "cut"]
)
def test_the_error_of_a_recording_names_no_path_and_the_log_does(folder, enrol, caplog, content):
    (folder / "ann.wav").write_bytes(content)
    with pytest.raises(BadRequest) as error:
        VoiceStore(str(folder), "tiny", enrol).get("ann")
    told = error.value.message
    assert not any(trace in told for trace in (str(folder), "ann.wav", "/", "0x")), told
    assert str(folder / "ann.wav") in caplog.text


def test_prepared_voices_are_readable_by_the_server_alone(folder, enrol, tmp_path):
    cache = tmp_path / "cache" / "of"
    VoiceStore(str(folder), "tiny", enrol, cache=str(cache)).get("ann")
    assert [path.stat().st_mode & 0o777 for path in cache.iterdir()] == [0o600]
    assert {path.stat().st_mode & 0o777 for path in (cache, cache.parent)} == {0o700}


def test_two_recordings_with_one_name_are_an_error_that_names_both(folder, enrol):
    record(folder, "ann.flac", 3)
    with pytest.raises(ConfigError, match=r"ann\.wav and .*ann\.flac"):
        VoiceStore(str(folder), "tiny", enrol).get("ann")


def test_any_fsspec_url_can_be_a_store(folder, enrol):
    url = f"memory://voices-{uuid4().hex}"
    files, root = fsspec.core.url_to_fs(url)
    files.put(str(folder / "ann.wav"), f"{root}/ann.wav")
    first = VoiceStore(url, "tiny", enrol).get("ann")
    assert_same(VoiceStore(url, "tiny", enrol).get("ann"), first)
    assert enrol.calls == ["ann"]
    assert ReferenceFiles(url).names() == ("ann",)


@pytest.mark.parametrize("url", ["missing", "nosuch://bucket/voices"])
def test_a_missing_store_stops_the_start(tmp_path, enrol, url):
    with pytest.raises(ConfigError, match=url):
        VoiceStore(url if "://" in url else str(tmp_path / url), "tiny", enrol)


def test_a_model_name_must_fit_a_file_name(folder, enrol):
    with pytest.raises(ConfigError, match=r"\.\./x"):
        VoiceStore(str(folder), "../x", enrol)


def test_a_deleted_recording_leaves_memory_too(folder, enrol):
    store = VoiceStore(str(folder), "model", enrol)
    store.get("ann")
    (folder / "ann.wav").unlink()
    with pytest.raises(NotFound):
        store.get("ann")
    assert "ann" not in store._loaded


def test_enrolling_again_prepares_a_voice_that_has_lost_its_file(folder, enrol):
    store = VoiceStore(str(folder), "tiny", enrol)
    store.enrol("ann")
    store.enrol("ann")
    assert enrol.calls == ["ann"]
    (kept,) = folder.glob("ann.*.tiny.safetensors")
    kept.unlink()  # the voice is still in memory here
    store.enrol("ann")
    assert enrol.calls == ["ann", "ann"]
    assert kept.exists()


def test_a_missing_recording_cannot_be_enrolled(folder, enrol):
    with pytest.raises(NotFound):
        VoiceStore(str(folder), "tiny", enrol).enrol("carl")


def test_a_store_that_prepares_nothing_reads_no_recording(folder, enrol, monkeypatch):
    """As of T3 and the vocoder: the process of a stage that speaks is no place for a file that may
    be hostile, nor for the time that its decoding takes."""
    (folder / "ann.wav").write_bytes(b"no sound")
    VoiceStore(str(folder), "tiny", enrol).get("bob")
    monkeypatch.setattr("app.engine.voices.store.read_reference", None)
    speaking = VoiceStore(str(folder), "tiny", None)
    with pytest.raises(NotEnrolled):
        speaking.get("ann")
    assert speaking.get("bob").voice == "bob"


def test_loaded_voices_leave_no_lock(folder, enrol):
    store = VoiceStore(str(folder), "tiny", enrol)
    for voice in ("ann", "bob"):
        store.get(voice)
    assert len(store._voice_locks) == 0
