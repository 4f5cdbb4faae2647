"""What is trained: the sizes of the embedded model, as its own `config.json` will say them."""

from pathlib import Path

from app.engine.checkpoint.spec import ModelSpec, read_spec

SPEC = Path(__file__).with_name("speaking.json")


def read_model() -> ModelSpec:
    return read_spec(SPEC)
