"""The components of a model by name, and the source of their weights.

A replica loads only the components that it needs: the vocoder never holds the speech tokenizer's
124 M parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, assert_never

import torch
from torch import Tensor, nn

from app.engine.checkpoint.blueprint import Blueprint
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.tokenizer import TextTokenizer
from app.engine.conditionals import Conditionals

if TYPE_CHECKING:  # each stage imports its own components
    from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
    from chatterbox.models.s3gen.hifigan import HiFTGenerator
    from chatterbox.models.s3gen.xvector import CAMPPlus
    from chatterbox.models.s3tokenizer import S3Tokenizer
    from chatterbox.models.voice_encoder import VoiceEncoder


class Component(StrEnum):
    """S3Gen's components have upstream's attribute names, which are the key prefixes in files."""

    T3 = "t3"
    FLOW = "flow"
    HIFT = "mel2wav"
    SPEECH_TOKENIZER = "tokenizer"
    SPEAKER_ENCODER = "speaker_encoder"
    VOICE_ENCODER = "voice_encoder"


class Vocoder(NamedTuple):
    """Speech tokens to sound."""

    flow: "CausalMaskedDiffWithXvec"
    mel2wav: "HiFTGenerator"


@dataclass(frozen=True, slots=True)
class EnrolmentModels:
    """Upstream's modules, loaded, in eval mode, on one device."""

    voice_encoder: "VoiceEncoder"
    s3_tokenizer: "S3Tokenizer"
    speaker_encoder: "CAMPPlus"
    prompt_len: int  # speech tokens of the recording that T3 gets: 150, turbo 375


class WeightSource(Protocol):
    """The source of a model's weights, text tokenizer and voices. Raises CheckpointError."""

    def load(
        self,
        component: Component,
        device: torch.device,
        dtype: torch.dtype,
        *,
        one_by_one: bool = False,
    ) -> nn.Module:
        """`one_by_one`: the memory of a tensor falls free when the module drops it, where the
        source can do so."""
        ...

    def t3_weights(
        self, device: torch.device, dtype: torch.dtype, *, on_demand: bool = False
    ) -> Mapping[str, Tensor]:
        """The state dict of `load(Component.T3, …)`, with or without upstream's module.
        `on_demand`: a tensor is read when it is looked up, where the source can do so."""
        ...

    def tokenizer(self) -> TextTokenizer: ...

    def conditionals(self, voice: str) -> Conditionals:
        """`voice` is one of the model's."""
        ...

    def verify(self) -> None:
        """Check that everything is present and fits the spec. Reads no weights."""
        ...


def blueprint_of(component: Component, spec: ModelSpec) -> Blueprint:
    """Imports upstream's modules for this component only. T3's import transformers, 7 s
    (2026-11)."""
    match component:
        case Component.T3:
            from app.engine.checkpoint.build_t3 import t3_blueprint

            return t3_blueprint(spec.t3)
        case Component.FLOW:
            from app.engine.checkpoint.build_vocoder import flow_blueprint

            return flow_blueprint(spec.s3gen)
        case Component.HIFT:
            from app.engine.checkpoint.build_vocoder import hift_blueprint

            return hift_blueprint(spec.s3gen.hift)
        case Component.SPEECH_TOKENIZER:
            from app.engine.checkpoint.build_enrolment import speech_tokenizer_blueprint

            return speech_tokenizer_blueprint(spec.s3gen.tokenizer)
        case Component.SPEAKER_ENCODER:
            from app.engine.checkpoint.build_enrolment import speaker_encoder_blueprint

            return speaker_encoder_blueprint(spec.s3gen.speaker_encoder)
        case Component.VOICE_ENCODER:
            from app.engine.checkpoint.build_enrolment import voice_encoder_blueprint

            return voice_encoder_blueprint(spec.voice_encoder_dim, spec.t3.speaker_dim)
        case _:
            assert_never(component)
