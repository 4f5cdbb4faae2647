"""Heads are configured, read from beside the model, or found and kept there."""

import logging
import shutil
from pathlib import Path

import pytest

from app.engine.checkpoint.find_model import EMBEDDED_FOLDER, find_model
from app.engine.checkpoint.model_files import CONFIG_FILE, ModelFolder, find_folder
from app.engine.t3.alignment_heads import NO_HEADS, AlignmentHeads, Head
from app.engine.t3.find_heads import find_heads
from app.errors import ConfigError
from app.t3_settings import T3Settings

FOUND = AlignmentHeads((Head(1, 3),), 48.9, 0.44, 2.7)
AUTO = T3Settings()


class Calibration:
    def __init__(self) -> None:
        self.num_calls = 0

    def __call__(self) -> AlignmentHeads:
        self.num_calls += 1
        return FOUND


@pytest.fixture
def model(tmp_path: Path) -> ModelFolder:
    """With the files that the digest reads."""
    source = EMBEDDED_FOLDER / "embedded-babble"
    for name in (CONFIG_FILE, "t3.safetensors", "tokenizer.json"):
        shutil.copy(source / name, tmp_path / name)
    return find_folder(tmp_path)


def test_what_was_found_is_kept_beside_the_model(model: ModelFolder) -> None:
    calibrate = Calibration()
    assert find_heads(model, AUTO, calibrate) == FOUND
    assert find_heads(model, AUTO, calibrate) == FOUND
    assert calibrate.num_calls == 1
    assert [path.name for path in model.folder.glob("alignment.*.json")] == [
        f"alignment.{model.t3_digest()}.json"
    ]


def test_other_weights_are_calibrated_anew(model: ModelFolder) -> None:
    calibrate = Calibration()
    find_heads(model, AUTO, calibrate)
    with (model.folder / "t3.safetensors").open("r+b") as file:
        file.write(b"other")
    find_heads(model, AUTO, calibrate)
    assert calibrate.num_calls == 2


def test_a_broken_file_is_replaced(model: ModelFolder, caplog: pytest.LogCaptureFixture) -> None:
    calibrate = Calibration()
    find_heads(model, AUTO, calibrate)
    (path,) = model.folder.glob("alignment.*.json")
    path.write_text('{"heads": 7}')
    assert find_heads(model, AUTO, calibrate) == FOUND
    assert calibrate.num_calls == 2
    assert "finding the alignment heads again" in caplog.text


def test_a_folder_that_cannot_be_written_is_no_error(
    model: ModelFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr("app.engine.t3.find_heads.put_whole", refuse)
    assert find_heads(model, AUTO, Calibration()) == FOUND
    assert "at every start: read-only" in caplog.text


@pytest.mark.parametrize("name", ["random-turbo", "random-english"])
def test_random_weights_are_not_calibrated(name: str) -> None:
    calibrate = Calibration()
    assert find_heads(find_model(name), AUTO, calibrate) == NO_HEADS
    assert calibrate.num_calls == 0


def test_a_model_without_a_voice_is_not_calibrated(model: ModelFolder) -> None:
    assert find_heads(model, AUTO, None) == NO_HEADS


def test_a_model_without_such_a_head_says_so(
    model: ModelFolder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    none = AlignmentHeads(score=0.04, took_s=1.0)
    assert find_heads(model, AUTO, lambda: none) == none
    assert "no head follows the text (best score 0.04)" in caplog.text


def test_words_can_be_switched_off(model: ModelFolder) -> None:
    assert find_heads(model, T3Settings(word_heads="off"), Calibration()) == NO_HEADS


def test_heads_can_be_set_by_hand(model: ModelFolder) -> None:
    settings = T3Settings(word_heads=((1, 1), (0, 1)), word_offset_ms=40.0)
    found = find_heads(model, settings, None)
    assert found == AlignmentHeads((Head(0, 1), Head(1, 1)), 40.0)


@pytest.mark.parametrize("head", [(99, 0), (0, 99), (-1, 0)])
def test_a_head_that_the_model_lacks_is_refused(model: ModelFolder, head: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match=r"t3\.word_heads: \[.*\] is not in the model"):
        find_heads(model, T3Settings(word_heads=(head,)), None)


@pytest.mark.parametrize("name", ["embedded", "embedded-babble", "embedded-turbo"])
def test_the_embedded_models_are_calibrated_already(name: str) -> None:
    model = find_model(name)
    assert isinstance(model, ModelFolder)
    (path,) = model.folder.glob("alignment.*.json")
    assert path.name == f"alignment.{model.t3_digest()}.json"
    assert bool(find_heads(model, AUTO, Calibration()).heads) == (name == "embedded")
