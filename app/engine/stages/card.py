"""What is served, as clients are told. Knows nothing about stages."""

from dataclasses import replace

from app.config import ServeArgs
from app.core import ModelCard
from app.engine.checkpoint.source import open_checkpoint
from app.engine.voices.provider import VoiceProvider


def model_card(args: ServeArgs) -> ModelCard:
    """What is served, with the operator's voices. Opens the model; its weights are checked by
    `check_model`, and by the stages that load them."""
    checkpoint = open_checkpoint(args.model, args.revision)
    book = VoiceProvider(checkpoint, args.voices, args.voices_cache)
    voices = book.names()
    return replace(
        checkpoint.card(),
        voices=voices,
        recorded_voices=tuple(name for name in voices if not book.is_own(name)),
        max_segment_chars=args.limits.max_segment_chars,
    )


def check_model(args: ServeArgs) -> None:
    """Every file of the model: that it is there, whole and of this model. Raises CheckpointError,
    ConfigError."""
    open_checkpoint(args.model, args.revision).verify()
