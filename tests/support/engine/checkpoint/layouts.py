"""Writes models in upstream's published file layouts, at any size."""

import json
import math
import struct
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn

from app.engine.checkpoint.components import Component
from app.engine.checkpoint.full_size import FULL_SIZE
from app.engine.checkpoint.local import FolderSource
from app.engine.checkpoint.model_files import PUBLISHED, ModelFolder
from app.engine.checkpoint.seeded import build_seeded
from app.engine.checkpoint.spec import ModelSpec

S3GEN = (Component.FLOW, Component.HIFT, Component.SPEECH_TOKENIZER, Component.SPEAKER_ENCODER)


def published(folder: Path, name: str, spec: ModelSpec) -> FolderSource:
    """Write the published model's files with `spec`'s modules, and open them with that spec."""
    layout = PUBLISHED[name]
    save(folder / layout.t3, states(spec, Component.T3))
    save(folder / layout.s3gen, states(spec, *S3GEN, prefixed=True))
    save(folder / layout.voice_encoder, states(spec, Component.VOICE_ENCODER))
    write_text_files(folder, name)
    write_conds(folder / "conds.pt", spec)
    return FolderSource(ModelFolder(folder, spec, layout, {"default": folder / "conds.pt"}))


def states(spec: ModelSpec, *components: Component, prefixed: bool = False) -> dict[str, Tensor]:
    return {
        f"{component}.{key}" if prefixed else key: tensor
        for component in components
        for key, tensor in build_seeded(component, spec, seed=7).state_dict().items()
    }


def save(path: Path, state: dict[str, Tensor]) -> None:
    if path.suffix == ".pt":
        torch.save(state, path)
    else:
        save_file(state, path)


def save_hollow(path: Path, module: nn.Module, prefix: str = "") -> None:
    """Write a float32 safetensors file of the module's shapes. Its zeros take no room on disk."""
    header, offset = {}, 0
    for key, tensor in module.state_dict().items():
        dtype, width = ("F32", 4) if tensor.is_floating_point() else ("I64", 8)
        end = offset + width * math.prod(tensor.shape)
        shape, span = list(tensor.shape), [offset, end]
        header[prefix + key] = {"dtype": dtype, "shape": shape, "data_offsets": span}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + offset)


def write_text_files(folder: Path, model: str) -> None:
    if FULL_SIZE[model].family == "turbo":
        letters = sorted(pre_tokenizers.ByteLevel.alphabet())
        vocabulary = {
            letter: index for index, letter in enumerate([*letters, "he", "<|endoftext|>"])
        }
        documents: dict[str, object] = {
            "vocab.json": vocabulary,
            "added_tokens.json": {"[laugh]": len(vocabulary)},
            "special_tokens_map.json": {"eos_token": "<|endoftext|>"},
            "tokenizer_config.json": {"tokenizer_class": "GPT2Tokenizer"},
        }
        for name, document in documents.items():
            (folder / name).write_text(json.dumps(document))
        (folder / "merges.txt").write_text("#version: 0.2\nh e\n")
        return
    name, *more = PUBLISHED[model].text
    letter_tokenizer().save(str(folder / name))
    for cangjie in more:
        (folder / cangjie).write_text(json.dumps(["明\tab\tx", "日\ta\tx", "曰\ta\tx"]))


def letter_tokenizer() -> Tokenizer:
    """ASCII letters and every special token that upstream's text pipelines insert."""
    special = ["[STOP]", "[UNK]", "[SPACE]", "[en]", "[ko]", "[ja]", "[zh]", "[he]", "[ru]", "[de]"]
    special += [f"[cj_{code}]" for code in "abc1."]
    vocabulary = {token: index for index, token in enumerate(special)} | {"[START]": 255}
    letters = [chr(code) for code in range(0x21, 0x7F)] + list("日月火äа\u1100\u1161\u0308")
    vocabulary |= {letter: index for index, letter in enumerate(letters, start=len(special))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.add_special_tokens([*special, "[START]"])
    return tokenizer


def write_conds(path: Path, spec: ModelSpec) -> None:
    """Write the fields that upstream's Conditionals.save writes."""
    t3 = {
        "speaker_emb": torch.rand(1, spec.t3.speaker_dim),
        "clap_emb": None,
        "cond_prompt_speech_tokens": torch.randint(6561, (1, spec.t3.prompt_len)),
        "cond_prompt_speech_emb": None,
        "emotion_adv": torch.full((1, 1, 1), 0.5),
    }
    gen = {
        "prompt_token": torch.randint(6561, (1, 50)),
        "prompt_token_len": torch.tensor([50]),
        "prompt_feat": torch.randn(1, 100, 80),
        "prompt_feat_len": None,
        "embedding": torch.randn(1, 192),
    }
    torch.save({"t3": t3, "gen": gen}, path)
