"""A replica's voices, while its model's folder and its store go away."""

import asyncio
import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import soundfile

from app.config import ServeArgs
from app.core import VoiceKind, VoiceRef
from app.engine.checkpoint.find_model import EMBEDDED_FOLDER
from app.engine.checkpoint.source import open_checkpoint
from app.engine.stages.card import model_card
from app.engine.voices.provider import VoiceProvider
from app.errors import BadRequest, CheckpointError, NotEnrolled, NotFound
from tests.support.audio_samples import spoken_vowels
from tests.support.engine.conditionals import assert_same


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(EMBEDDED_FOLDER / "embedded-babble", tmp_path / "model")


def test_built_in_voices_outlive_the_models_folder(folder):
    checkpoint = open_checkpoint(str(folder))
    before = {voice: checkpoint.conditionals(voice) for voice in checkpoint.voices()}
    provider = VoiceProvider(checkpoint, None)
    shutil.rmtree(folder)
    assert set(provider.built_in()) == {"ada", "bela", "cleo"}
    for voice, conditionals in before.items():
        assert_same(provider.get(VoiceRef(voice)), conditionals)


@pytest.mark.parametrize("kind", VoiceKind)
def test_an_unknown_voice_is_not_found_in_any_kind_of_store(folder, kind):
    provider = VoiceProvider(open_checkpoint(str(folder)), None)
    with pytest.raises(NotFound):
        provider.get(VoiceRef("nobody", kind))


def test_a_built_in_voice_hides_a_recording_with_its_name(folder, tmp_path):
    stored = tmp_path / "stored"
    stored.mkdir()
    for name in ("ada", "ann"):
        (stored / f"{name}.wav").write_bytes(b"never read")
    card = model_card(ServeArgs(model=str(folder), voices=str(stored)))
    assert (card.recorded_voices, card.voices) == (("ann",), ("ada", "bela", "cleo", "ann"))
    provider = VoiceProvider(open_checkpoint(str(folder)), str(stored))
    assert provider.get(VoiceRef("ada")).voice == "ada"


def test_a_voice_is_looked_up_in_the_store_of_its_kind(folder, tmp_path):
    stored = tmp_path / "stored"
    stored.mkdir()
    soundfile.write(stored / "ann.wav", spoken_vowels(1, 6.0), 24_000)
    uploads = str(tmp_path / "uploads")
    provider = VoiceProvider(open_checkpoint(str(folder)), str(stored), uploads=uploads)
    with pytest.raises(NotEnrolled):  # it is there, and not prepared
        provider.get(VoiceRef("ann", VoiceKind.RECORDED))
    for kind in (VoiceKind.BUILT_IN, VoiceKind.UPLOADED):
        with pytest.raises(NotFound):
            provider.get(VoiceRef("ann", kind))


def test_voices_that_were_prepared_at_another_level_are_not_used(folder, tmp_path):
    stored = tmp_path / "stored"
    stored.mkdir()
    soundfile.write(stored / "ann.wav", spoken_vowels(1, 6.0), 24_000)

    def enrolled(**changes):
        config = folder / "config.json"
        config.write_text(json.dumps(json.loads(config.read_text()) | changes))
        checkpoint, num_prepared = open_checkpoint(str(folder)), 0

        def prepare(recording, voice):
            nonlocal num_prepared
            num_prepared += 1
            return replace(checkpoint.conditionals("ada"), voice=voice)

        VoiceProvider(checkpoint, str(stored), prepare=prepare).enrol(
            VoiceRef("ann", VoiceKind.RECORDED)
        )
        return num_prepared

    assert [enrolled(), enrolled(), enrolled(reference_lufs=-20.0), enrolled()] == [1, 0, 1, 0]


@pytest.fixture
def enrol(folder, tmp_path):
    """Enrols a recording with seconds of speech, as the voice of an operator or of a caller."""
    checkpoint = open_checkpoint(str(folder))
    folders = {
        VoiceKind.RECORDED: tmp_path / "stored",
        VoiceKind.UPLOADED: tmp_path / "uploads" / "references",
    }
    for each in folders.values():
        each.mkdir(parents=True)

    def enrolled(speech_s, kind, enrolment):
        soundfile.write(folders[kind] / "ann.flac", spoken_vowels(1, speech_s), 24_000)
        provider = VoiceProvider(
            checkpoint,
            str(tmp_path / "stored"),
            prepare=lambda _, voice: replace(checkpoint.conditionals("ada"), voice=voice),
            uploads=str(tmp_path / "uploads"),
            enrolment=enrolment,
        )
        provider.enrol(VoiceRef("ann", kind))
        return provider.get(VoiceRef("ann", kind)).voice

    return enrolled


def test_a_recording_of_the_operator_needs_as_much_speech_as_an_upload(enrol):
    with pytest.raises(BadRequest, match=r"is 4\.00 s long; it must have 5 s of speech"):
        enrol(4.0, VoiceKind.RECORDED, "speech")
    assert enrol(6.0, VoiceKind.RECORDED, "speech") == "ann"


@pytest.mark.parametrize(
    ("kind", "enrolment"),
    [
        (VoiceKind.RECORDED, "upstream"),  # as upstream's package takes it
        (VoiceKind.UPLOADED, "upstream"),
        (VoiceKind.UPLOADED, "speech"),
    ],
)
def test_no_speech_is_asked_for_upstreams_sake_nor_a_second_time_of_an_upload(
    enrol, kind, enrolment
):
    assert enrol(4.0, kind, enrolment) == "ann"


async def test_a_built_in_voice_does_not_wait_for_the_store(folder, tmp_path):
    stored = tmp_path / "stored"
    stored.mkdir()
    provider = VoiceProvider(open_checkpoint(str(folder)), str(stored))
    answers = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        asyncio.get_running_loop().set_default_executor(pool)
        waiting = asyncio.ensure_future(asyncio.to_thread(answers.wait))  # as a hanging store does
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(5):
                assert (await provider.fetch(VoiceRef("ada"))).voice == "ada"
        finally:
            answers.set()
        await waiting
        with pytest.raises(NotFound):
            await provider.fetch(VoiceRef("nobody", VoiceKind.RECORDED))


def test_a_model_without_its_folder_cannot_be_opened(folder):
    shutil.rmtree(folder)
    with pytest.raises(CheckpointError, match="is not a folder"):
        open_checkpoint(str(folder))


def test_a_missing_voice_file_is_named_at_the_start(folder):
    checkpoint = open_checkpoint(str(folder))
    (folder / "voices" / "bela.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"bela\.safetensors"):
        VoiceProvider(checkpoint, None)
