"""A specification survives its file, and a wrong file is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.engine.checkpoint.spec import read_spec
from app.errors import CheckpointError
from tests.support.engine.checkpoint.tiny import TINY, TINY_TURBO


def write(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_spec(path)
    assert str(path) in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("spec", [TINY, TINY_TURBO], ids=["llama", "gpt2"])
def test_a_spec_survives_its_file(spec: Any, tmp_path: Path) -> None:
    document = spec.model_dump(mode="json", exclude_defaults=True)
    assert read_spec(write(tmp_path / "config.json", document)) == spec


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ((), "surprise"),
        (("t3",), "t3.surprise"),
        (("s3gen", "hift"), "s3gen.hift.surprise"),
        (("sampling",), "sampling.surprise"),
    ],
)
def test_an_unknown_key_is_named(where: tuple[str, ...], named: str, tmp_path: Path) -> None:
    document = TINY.model_dump(mode="json")
    place = document
    for key in where:
        place = place[key]
    place["surprise"] = 1
    assert named in refusal(write(tmp_path / "config.json", document))


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    document = TINY.model_dump(mode="json")
    del document["s3gen"]["encoder"]["dim"]
    assert "s3gen.encoder.dim" in refusal(write(tmp_path / "config.json", document))


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("t3", "rope_theta", None),  # llama needs it
        ("t3", "speech_vocab", 6561),  # no room for the start token
        ("t3", "backbone", "mamba"),
        ("t3", "num_layers", "two"),
    ],
)
def test_an_impossible_value_is_refused(part: str, key: str, value: object, tmp_path: Path) -> None:
    document = TINY.model_dump(mode="json")
    document[part][key] = value
    assert part in refusal(write(tmp_path / "config.json", document))


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(TINY.model_dump_json()[:100])
    refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    refusal(tmp_path / "config.json")
