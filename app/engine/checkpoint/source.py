"""Opens any model by its name.

    embedded                              small, in this repository; speaks English words
    embedded-babble, embedded-turbo       smaller, random weights, in this repository
    english, multilingual, turbo          published, from the model hub
    random-english, random-multilingual,
    random-turbo                          full size with random weights
    a path                                a folder in upstream's layout or in our own

Knows nothing about the use of the modules.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch

from app.core import ModelCard
from app.engine.checkpoint import hub
from app.engine.checkpoint.components import Component, EnrolmentModels, Vocoder, WeightSource
from app.engine.checkpoint.local import PUBLISHED, open_folder, open_published
from app.engine.checkpoint.seeded import SeededSource
from app.engine.checkpoint.spec import EMBEDDED, FAMILIES, FULL_SIZE, RANDOM, Family, ModelSpec
from app.engine.checkpoint.tokenizer import TextTokenizer
from app.engine.conditionals import Conditionals
from app.errors import CheckpointError, NotFound

if TYPE_CHECKING:  # each stage imports its own components
    from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
    from chatterbox.models.s3gen.hifigan import HiFTGenerator
    from chatterbox.models.s3gen.xvector import CAMPPlus
    from chatterbox.models.s3tokenizer import S3Tokenizer
    from chatterbox.models.t3.t3 import T3
    from chatterbox.models.voice_encoder import VoiceEncoder

EMBEDDED_FOLDER = Path(__file__).parents[3] / "checkpoints"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An opened model. Opening reads no weights. Each `load_*` reads the weights of its modules and
    returns them in eval mode, without gradients. Raises CheckpointError."""

    spec: ModelSpec
    source: WeightSource

    def card(self) -> ModelCard:
        spec = self.spec
        return ModelCard(
            name=spec.name,
            family=spec.family,
            defaults=spec.sampling,
            voices=self.voices(),
            languages=spec.languages,
            has_cfg=spec.family != "turbo",
            has_top_k=spec.family == "turbo",
        )

    def verify(self) -> None:
        """Check that every file is present, whole and of this model."""
        self.source.verify()

    def tokenizer(self) -> TextTokenizer:
        return self.source.tokenizer()

    def voices(self) -> tuple[str, ...]:
        return self.source.voices()

    def conditionals(self, voice: str) -> Conditionals:
        """On the CPU. Raises NotFound for a voice that the model lacks."""
        if voice not in self.voices():
            raise NotFound(f"{self.spec.name} has no built-in voice {voice!r}", param="voice")
        return self.source.conditionals(voice)

    def load_t3(self, device: torch.device, dtype: torch.dtype) -> "T3":
        """Without the parts that only training reads: the text head and, in turbo, the backbone's
        own embedding."""
        return cast("T3", self.source.load(Component.T3, device, dtype))

    def load_vocoder(self, device: torch.device) -> Vocoder:
        """Always float32."""
        dtype = torch.float32
        return Vocoder(
            cast("CausalMaskedDiffWithXvec", self.source.load(Component.FLOW, device, dtype)),
            cast("HiFTGenerator", self.source.load(Component.HIFT, device, dtype)),
        )

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
    """`revision` is a commit on the model hub. It is refused for a model that is not from the hub.

    Downloads a model of the hub unless it is in the cache. Raises CheckpointError.
    """
    if model in FAMILIES:
        folder = hub.fetch(model, PUBLISHED[model].files, revision)
        source = open_published(folder, model)
        return Checkpoint(source.spec, source)
    if revision is not None:
        raise CheckpointError(f"revision: is for models of the hub; {model} is not on the hub")
    if model in RANDOM:
        return _random(model, RANDOM[model])
    is_path = "/" in model or (model and Path(model).is_dir())
    if model not in EMBEDDED and not is_path:
        names = [*EMBEDDED, *FAMILIES, *RANDOM]
        raise CheckpointError(
            f"there is no model {model!r}. Set model: to one of {', '.join(names)}, or to a folder"
        )
    source = open_folder(EMBEDDED_FOLDER / model if model in EMBEDDED else Path(model))
    return Checkpoint(source.spec, source)


def _random(name: str, family: Family) -> Checkpoint:
    spec = FULL_SIZE[family].model_copy(update={"name": name})
    text_folder = EMBEDDED_FOLDER / ("embedded-turbo" if family == "turbo" else "embedded-babble")
    return Checkpoint(spec, SeededSource(spec, text_folder))
