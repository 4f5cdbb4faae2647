"""The sizes of the trained embedded model, in the format of a checkpoint's `config.json`."""

from pathlib import Path

from app.engine.checkpoint.spec import ModelSpec, read_spec

SPEC = Path(__file__).with_name("speaking.json")


def read_model() -> ModelSpec:
    return read_spec(SPEC)
