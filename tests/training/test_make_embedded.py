import json
from pathlib import Path

import pytest
import torch

from app.engine.checkpoint.find_model import EMBEDDED_FOLDER
from app.engine.checkpoint.source import open_checkpoint
from app.engine.checkpoint.spec import ModelSpec, read_spec
from tests.support.engine.checkpoint.tiny import TINY, TINY_TURBO
from training import make_embedded
from training.make_embedded import CONFIG, Recipe, make


def recipe() -> Recipe:
    return Recipe.model_validate_json(CONFIG.read_text())


def test_the_embedded_checkpoints_are_those_of_the_recipe() -> None:
    for spec in recipe().models:
        assert read_spec(EMBEDDED_FOLDER / spec.name / "config.json") == spec
        voices = {path.stem for path in (EMBEDDED_FOLDER / spec.name / "voices").iterdir()}
        assert voices == recipe().voices.keys()


@pytest.fixture(autouse=True)
def short_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_embedded, "PROBE_TOKENS", 10)
    monkeypatch.setattr(make_embedded, "CALIBRATION_ROUNDS", 2)


@pytest.mark.parametrize(
    "spec",
    [pytest.param(TINY, id="llama", marks=pytest.mark.long), pytest.param(TINY_TURBO, id="gpt2")],
)
def test_the_same_recipe_makes_the_same_bytes(spec: ModelSpec, tmp_path: Path) -> None:
    torch.manual_seed(1)
    make(spec, recipe(), tmp_path / "one")
    torch.manual_seed(2)
    make(spec, recipe(), tmp_path / "two")
    source = open_checkpoint(str(tmp_path / "one"))
    source.verify()
    assert source.spec == spec
    assert source.voices() == tuple(sorted(recipe().voices))
    files = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) >= 7
    for path in files:
        other = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == other.read_bytes(), path.name


def test_a_recipe_with_an_unknown_key_is_refused() -> None:
    document = json.loads(CONFIG.read_text())
    document["surprise"] = 1
    with pytest.raises(ValueError, match="surprise"):
        Recipe.model_validate(document)
