"""Enrolment opened from a configuration: the content of the enroller. As stages/t3.py."""

import torch

from app.config import ServeArgs
from app.core import VoiceRef
from app.engine.checkpoint.source import open_checkpoint
from app.engine.conditionals import Conditionals
from app.engine.voices.enrolment import prepare
from app.engine.voices.provider import VoiceProvider
from app.engine.voices.reference_audio import ReferenceAudio


class EnrolStage:
    """Reference recordings in, conditionals in the voice store out. On the CPU: once per voice."""

    def __init__(self, voices: VoiceProvider) -> None:
        self._voices = voices

    @classmethod
    def open(cls, args: ServeArgs) -> "EnrolStage":
        checkpoint = open_checkpoint(args.model, args.revision)
        models = checkpoint.load_enrolment(torch.device("cpu"))
        family, lufs = checkpoint.spec.family, checkpoint.spec.reference_lufs

        def prepare_voice(recording: ReferenceAudio, voice: str) -> Conditionals:
            return prepare(recording, models, family, voice, args.enrolment, lufs=lufs)

        return cls(VoiceProvider.of(checkpoint, args, prepare_voice))

    def enrol(self, voice: VoiceRef) -> None:
        """Blocks until the conditionals are stored. Raises NotFound, BadRequest."""
        self._voices.enrol(voice)
