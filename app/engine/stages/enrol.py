"""Enrolment opened from a configuration: what the enroller holds. As stages/t3.py."""

import numpy as np
import torch
from numpy.typing import NDArray

from app.config import ServeArgs
from app.engine.checkpoint.source import open_checkpoint
from app.engine.conditionals import Conditionals
from app.engine.voices.enrolment import prepare
from app.engine.voices.provider import VoiceProvider


class EnrolStage:
    """Reference recordings in, conditionals in the voice store out. On the CPU: once per voice."""

    def __init__(self, voices: VoiceProvider) -> None:
        self._voices = voices

    @classmethod
    def open(cls, args: ServeArgs) -> "EnrolStage":
        checkpoint = open_checkpoint(args.model, args.revision)
        models = checkpoint.load_enrolment(torch.device("cpu"))
        family = checkpoint.spec.family

        def prepared(wav: NDArray[np.float32], sample_rate: int, voice: str) -> Conditionals:
            return prepare(wav, sample_rate, models, family, voice)

        return cls(
            VoiceProvider(checkpoint, args.voices, args.voices_cache, prepared, args.uploads)
        )

    def enrol(self, voice: str) -> None:
        """Blocks for as long as it takes; raises NotFound, BadRequest."""
        self._voices.enrol(voice)
