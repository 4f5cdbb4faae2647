"""Writes the folder of a model in our own layout."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from app.engine.checkpoint.components import Component
from app.engine.checkpoint.model_files import CONFIG_FILE, own_layout
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.t3_tensors import UNREAD_BY_T3
from app.engine.conditionals import Conditionals, save_conditionals
from training.texts import save_byte_tokenizer, save_letter_tokenizer

S3GEN_PARTS = (
    Component.FLOW,
    Component.HIFT,
    Component.SPEECH_TOKENIZER,
    Component.SPEAKER_ENCODER,
)


def write_checkpoint(
    folder: Path,
    spec: ModelSpec,
    modules: Mapping[Component, nn.Module],
    voices: Sequence[Conditionals],
) -> None:
    (folder / "voices").mkdir(parents=True, exist_ok=True)
    layout = own_layout(spec.family)
    document = spec.model_dump(mode="json", exclude_defaults=True)
    (folder / CONFIG_FILE).write_text(json.dumps(document, indent=2) + "\n")
    _save(folder / layout.t3, {"": modules[Component.T3]})
    _save(folder / layout.voice_encoder, {"": modules[Component.VOICE_ENCODER]})
    _save(folder / layout.s3gen, {f"{part}.": modules[part] for part in S3GEN_PARTS})
    save_tokenizer = save_byte_tokenizer if spec.family == "turbo" else save_letter_tokenizer
    save_tokenizer(folder, spec)
    for voice in voices:
        save_conditionals(folder / "voices" / f"{voice.voice}.safetensors", voice)


def _save(path: Path, modules: Mapping[str, nn.Module]) -> None:
    """Saves in half precision; loading casts. `modules` are named by the prefix of their keys."""
    unread = tuple(f"{name}." for name in UNREAD_BY_T3)
    state = {
        prefix + key: tensor.half() if tensor.is_floating_point() else tensor
        for prefix, module in modules.items()
        for key, tensor in module.state_dict().items()
        if not key.startswith(unread)
    }
    save_file(state, path)
