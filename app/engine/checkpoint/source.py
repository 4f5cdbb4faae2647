"""Opens the model that find_model finds. Knows nothing about the use of the modules."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from app.engine.checkpoint.components import Component, EnrolmentModels, Vocoder, WeightSource
from app.engine.checkpoint.find_model import Model, find_model
from app.engine.checkpoint.local import FolderSource
from app.engine.checkpoint.model_files import ModelFolder
from app.engine.checkpoint.seeded import SeededSource
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.tokenizer import TextTokenizer
from app.engine.conditionals import Conditionals
from app.errors import NotFound

if TYPE_CHECKING:  # each stage imports its own components
    from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
    from chatterbox.models.s3gen.hifigan import HiFTGenerator
    from chatterbox.models.s3gen.xvector import CAMPPlus
    from chatterbox.models.s3tokenizer import S3Tokenizer
    from chatterbox.models.t3.t3 import T3
    from chatterbox.models.voice_encoder import VoiceEncoder


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An opened model. Opening reads no weights. Each `load_*` reads the weights of its modules and
    returns them in eval mode, without gradients. Raises CheckpointError."""

    model: Model
    source: WeightSource

    @property
    def spec(self) -> ModelSpec:
        return self.model.spec

    def verify(self) -> None:
        """Check that every file is present, whole and of this model."""
        self.source.verify()

    def tokenizer(self) -> TextTokenizer:
        return self.source.tokenizer()

    def voices(self) -> tuple[str, ...]:
        return self.model.voices()

    def conditionals(self, voice: str) -> Conditionals:
        """On the CPU. Raises NotFound for a voice that the model lacks."""
        if voice not in self.voices():
            raise NotFound(f"{self.spec.name} has no built-in voice {voice!r}", param="voice")
        return self.source.conditionals(voice)

    def t3_weights(
        self, device: torch.device, dtype: torch.dtype, *, on_demand: bool = False
    ) -> Mapping[str, Tensor]:
        """By upstream's names, without the tensors that only training reads: the text head and, in
        turbo, the backbone's own embedding. `on_demand`: a tensor is read when it is looked up, and
        is in memory as long as the caller keeps it."""
        return self.source.t3_weights(device, dtype, on_demand=on_demand)

    def load_t3(self, device: torch.device, dtype: torch.dtype) -> "T3":
        """Upstream's module with the same tensors, for upstream's own loops and for training."""
        return cast("T3", self.source.load(Component.T3, device, dtype))

    def load_vocoder(self, device: torch.device, *, one_by_one: bool = False) -> Vocoder:
        """Always float32. `one_by_one`: the memory of one of the flow's tensors falls free when
        the flow drops it, where the source can do so."""
        dtype = torch.float32
        flow = self.source.load(Component.FLOW, device, dtype, one_by_one=one_by_one)
        hift = self.source.load(Component.HIFT, device, dtype)
        return Vocoder(cast("CausalMaskedDiffWithXvec", flow), cast("HiFTGenerator", hift))

    def load_enrolment(self, device: torch.device) -> EnrolmentModels:
        """Always float32: conditionals are computed once."""
        dtype = torch.float32
        return EnrolmentModels(
            cast("VoiceEncoder", self.source.load(Component.VOICE_ENCODER, device, dtype)),
            cast("S3Tokenizer", self.source.load(Component.SPEECH_TOKENIZER, device, dtype)),
            cast("CAMPPlus", self.source.load(Component.SPEAKER_ENCODER, device, dtype)),
            self.spec.t3.prompt_len,
        )


def open_checkpoint(model: str, revision: str | None = None) -> Checkpoint:
    """Raises CheckpointError, as find_model does."""
    found = find_model(model, revision)
    if isinstance(found, ModelFolder):
        return Checkpoint(found, FolderSource(found))
    return Checkpoint(found, SeededSource(found))
