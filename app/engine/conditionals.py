"""Conditionals: a voice as the models need it, prepared once from a reference recording.

Conditionals are immutable and shared by all requests. Exaggeration, sampling and noise belong to a
request. Conditionals are stored as safetensors; upstream's `conds.pt` can be read too. Knows
nothing about sequences, streams, enrolment or stores.
"""

import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from app.core import FRAMES_PER_TOKEN, NUM_MELS, NUM_SPEECH_IDS
from app.errors import CheckpointError

SPEAKER_DIM = 256  # of the VoiceEncoder
XVECTOR_DIM = 192  # of CAM++


@dataclass(frozen=True, slots=True, eq=False)  # compared by identity
class T3Conditionals:
    """A voice as T3 needs it. Source: upstream's T3Cond, without the exaggeration."""

    speaker_emb: Tensor  # (256,) float32, VoiceEncoder, L2-normalised
    prompt_tokens: Tensor  # (N,) int64, N <= 150 (375 for turbo): the reference as speech tokens


@dataclass(frozen=True, slots=True)
class S3GenConditionals:
    """A voice as the vocoder needs it. Source: S3Token2Mel.embed_ref."""

    prompt_tokens: Tensor  # (P,) int64, always integer (upstream casts it in place)
    prompt_mel: Tensor  # (2P, 80) float32, log-mel of the reference at 24 kHz
    speaker_emb: Tensor  # (192,) float32, CAM++ x-vector, not normalised


@dataclass(frozen=True, slots=True)
class Conditionals:
    voice: str
    t3: T3Conditionals
    s3gen: S3GenConditionals


def save_conditionals(path: Path, conditionals: Conditionals) -> None:
    """Write a safetensors file. A reader sees the old file or the whole new one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_bytes(dump_conditionals(conditionals))
    partial.replace(path)


def load_conditionals(path: Path, voice: str) -> Conditionals:
    """Raises CheckpointError that names the file and the wrong field."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    return parse_conditionals(content, voice, str(path))


def dump_conditionals(conditionals: Conditionals) -> bytes:
    """Without the voice's name: the caller names the file."""
    return safetensors.save(_fields(conditionals))


def parse_conditionals(content: bytes, voice: str, source: str) -> Conditionals:
    """`source` names the content in errors. Raises CheckpointError."""
    try:
        fields = safetensors.load(content)
    except SafetensorError as error:
        raise CheckpointError(f"{source} is not a safetensors file: {error}") from error
    return _assemble(fields, voice, source)


def load_legacy_conds(path: Path, voice: str) -> Conditionals:
    """Read upstream's `conds.pt`: {'t3': T3Cond's fields, 'gen': embed_ref's}.

    Nothing in it is executed (`weights_only`). Its exaggeration is dropped: that belongs to a
    request.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except (RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} is not a conds.pt: {error}") from error
    prompt_tokens = _whole(_legacy(content, "gen", "prompt_token", path))
    prompt_mel = _legacy(content, "gen", "prompt_feat", path)
    fields = {
        "t3.speaker_emb": _legacy(content, "t3", "speaker_emb", path),
        "t3.prompt_tokens": _whole(_legacy(content, "t3", "cond_prompt_speech_tokens", path)),
        "s3gen.prompt_tokens": prompt_tokens,
        "s3gen.prompt_mel": without_odd_frame(prompt_mel, len(prompt_tokens)),
        "s3gen.speaker_emb": _legacy(content, "gen", "embedding", path),
    }
    return _assemble(fields, voice, str(path))


def without_odd_frame(mel: Tensor, num_tokens: int) -> Tensor:
    """The mel without upstream's last frame, where that frame has no token. It would shift all
    generated frames by half a token, and the last one would be lost."""
    whole = num_tokens * FRAMES_PER_TOKEN
    return mel[:whole] if len(mel) == whole + 1 else mel


def problem_of(conditionals: Conditionals) -> str | None:
    """The name and the problem of the first wrong field; None where every field is right."""
    fields = _fields(conditionals)
    for name, tensor in fields.items():
        problem = _RULES[name](tensor)
        if problem is not None:
            return f"{name} {problem}, but is {tensor.dtype} {tuple(tensor.shape)}"
    num_tokens = len(conditionals.s3gen.prompt_tokens)
    num_frames = len(conditionals.s3gen.prompt_mel)
    if num_frames != num_tokens * FRAMES_PER_TOKEN:
        return f"s3gen.prompt_mel has {num_frames} frames for {num_tokens} prompt tokens"
    return None


def _fields(conditionals: Conditionals) -> dict[str, Tensor]:
    return {
        "t3.speaker_emb": conditionals.t3.speaker_emb,
        "t3.prompt_tokens": conditionals.t3.prompt_tokens,
        "s3gen.prompt_tokens": conditionals.s3gen.prompt_tokens,
        "s3gen.prompt_mel": conditionals.s3gen.prompt_mel,
        "s3gen.speaker_emb": conditionals.s3gen.speaker_emb,
    }


def _assemble(fields: Mapping[str, Tensor], voice: str, source: str) -> Conditionals:
    if fields.keys() != _RULES.keys():
        missing = sorted(_RULES.keys() - fields.keys())
        unknown = sorted(fields.keys() - _RULES.keys())
        raise CheckpointError(f"{source}: fields {missing} are missing, {unknown} are unknown")
    conditionals = Conditionals(
        voice,
        T3Conditionals(
            fields["t3.speaker_emb"].contiguous(), fields["t3.prompt_tokens"].contiguous()
        ),
        S3GenConditionals(
            fields["s3gen.prompt_tokens"].contiguous(),
            fields["s3gen.prompt_mel"].contiguous(),
            fields["s3gen.speaker_emb"].contiguous(),
        ),
    )
    problem = problem_of(conditionals)
    if problem is not None:
        raise CheckpointError(f"{source}: {problem}")
    return conditionals


def _tokens(tensor: Tensor) -> str | None:
    if tensor.dtype != torch.int64 or tensor.ndim != 1 or not len(tensor):
        return "must be a non-empty row of int64"
    if tensor.min() < 0 or tensor.max() >= NUM_SPEECH_IDS:
        return f"must hold ids in 0..{NUM_SPEECH_IDS - 1}"
    return None


def _floats(*sizes: int | None) -> Callable[[Tensor], str | None]:
    """A rule for finite float32 of this shape; None stands for any size."""

    def rule(tensor: Tensor) -> str | None:
        fits = tensor.ndim == len(sizes) and all(
            wanted in (None, size) for wanted, size in zip(sizes, tensor.shape, strict=True)
        )
        if tensor.dtype != torch.float32 or not fits:
            return f"must be float32 {tuple('any' if s is None else s for s in sizes)}"
        return None if bool(torch.isfinite(tensor).all()) else "must be finite"

    return rule


_RULES: Mapping[str, Callable[[Tensor], str | None]] = {
    "t3.speaker_emb": _floats(SPEAKER_DIM),
    "t3.prompt_tokens": _tokens,
    "s3gen.prompt_tokens": _tokens,
    "s3gen.prompt_mel": _floats(None, NUM_MELS),
    "s3gen.speaker_emb": _floats(XVECTOR_DIM),
}


def _legacy(content: object, part: str, key: str, path: Path) -> Tensor:
    """One field of a conds.pt, without its batch dimension of one."""
    fields = content.get(part) if isinstance(content, dict) else None
    value = fields.get(key) if isinstance(fields, dict) else None
    if not isinstance(value, Tensor) or value.ndim < 2 or len(value) != 1:
        raise CheckpointError(f"{path}: {part}.{key} must be a tensor with a batch of one")
    return value[0].detach().clone()


def _whole(tokens: Tensor) -> Tensor:
    """The tokens as int64, where that loses nothing. Upstream's first use of a voice casts the
    prompt to float, so a conds.pt that was saved afterwards holds floats."""
    whole = tokens.to(torch.int64)
    return whole if bool((whole == tokens).all()) else tokens
