"""The voices of a replica whose model's folder goes away under it."""

import asyncio
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.engine.checkpoint.source import EMBEDDED_FOLDER, open_checkpoint
from app.engine.voices.provider import VoiceProvider
from app.errors import CheckpointError, NotFound
from tests.engine.test_conditionals import assert_same


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(EMBEDDED_FOLDER / "embedded-babble", tmp_path / "model")


def test_the_models_own_voices_outlive_its_folder(folder):
    checkpoint = open_checkpoint(str(folder))
    before = {voice: checkpoint.conditionals(voice) for voice in checkpoint.voices()}
    book = VoiceProvider(checkpoint, None)
    shutil.rmtree(folder)
    assert set(book.names()) == {"ada", "bela", "cleo"}
    for voice, conditionals in before.items():
        assert_same(book.get(voice), conditionals)
    with pytest.raises(NotFound):
        book.get("nobody")


async def test_the_models_own_voices_wait_for_no_store(folder, tmp_path):
    stored = tmp_path / "stored"
    stored.mkdir()
    book = VoiceProvider(open_checkpoint(str(folder)), str(stored))
    answers = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        asyncio.get_running_loop().set_default_executor(pool)
        waiting = asyncio.ensure_future(asyncio.to_thread(answers.wait))  # as a store that hangs
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(5):
                assert (await book.found("ada")).voice == "ada"
        finally:
            answers.set()
        await waiting
        with pytest.raises(NotFound):
            await book.found("nobody")


def test_a_model_without_its_folder_is_not_opened(folder):
    shutil.rmtree(folder)
    with pytest.raises(CheckpointError, match="is not a folder"):
        open_checkpoint(str(folder))


def test_a_voice_file_that_is_gone_is_named_before_anything_is_served(folder):
    checkpoint = open_checkpoint(str(folder))
    (folder / "voices" / "bela.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"bela\.safetensors"):
        VoiceProvider(checkpoint, None)
