"""The modules that a model is made of, one name each, and where all of them come from.

A replica loads the parts it needs and no others: the vocoder never holds the speech tokenizer's
124 M parameters.
"""

from enum import StrEnum
from typing import Protocol, assert_never

import torch
from torch import nn

from app.engine.checkpoint.build import (
    build_flow,
    build_hift,
    build_speaker_encoder,
    build_speech_tokenizer,
    build_t3,
    build_voice_encoder,
)
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.tokenizer import TextTokenizer
from app.engine.voices import Conditionals


class Part(StrEnum):
    """The values of S3Gen's parts are upstream's attribute names, so its files' key prefixes."""

    T3 = "t3"
    FLOW = "flow"
    HIFT = "mel2wav"
    SPEECH_TOKENIZER = "tokenizer"
    SPEAKER_ENCODER = "speaker_encoder"
    VOICE_ENCODER = "voice_encoder"


class Source(Protocol):
    """Where a model's weights, text tokenizer and voices come from. Raises CheckpointError."""

    def load(self, part: Part, device: torch.device, dtype: torch.dtype) -> nn.Module: ...

    def tokenizer(self) -> TextTokenizer: ...

    def voices(self) -> tuple[str, ...]: ...

    def conditionals(self, voice: str) -> Conditionals:
        """`voice` is one of `voices()`."""
        ...

    def enrolment_id(self) -> str:
        """Part of a file name; changes when the weights that make conditionals do."""
        ...

    def verify(self) -> None:
        """Everything is there and fits the spec; reads no weights."""
        ...


def build_part(part: Part, spec: ModelSpec) -> nn.Module:
    module: nn.Module
    match part:
        case Part.T3:
            module = build_t3(spec.t3)
        case Part.FLOW:
            module = build_flow(spec.s3gen)
        case Part.HIFT:
            module = build_hift(spec.s3gen.hift)
        case Part.SPEECH_TOKENIZER:
            module = build_speech_tokenizer(spec.s3gen.tokenizer)
        case Part.SPEAKER_ENCODER:
            module = build_speaker_encoder(spec.s3gen.speaker_encoder)
        case Part.VOICE_ENCODER:
            module = build_voice_encoder(spec.voice_encoder_dim, spec.t3.speaker_dim)
        case _:
            assert_never(part)
    return module
