"""The model card of a configuration. Knows nothing about stages."""

from dataclasses import replace

from app.config import ServeArgs
from app.core import ModelCard
from app.engine.checkpoint.source import open_checkpoint
from app.engine.voices.provider import VoiceProvider


def model_card(args: ServeArgs) -> ModelCard:
    """The served model, with the operator's voices.

    Opens the model. `check_model` checks its weights, and so do the stages that load them.
    """
    checkpoint = open_checkpoint(args.model, args.revision)
    voices = VoiceProvider(checkpoint, args.voices, args.voices_cache)
    recorded = voices.recorded()
    return replace(
        checkpoint.card(),
        voices=(*voices.built_in(), *recorded),
        recorded_voices=recorded,
        max_segment_chars=args.limits.max_segment_chars,
    )


def check_model(args: ServeArgs) -> None:
    """Check that every file of the model is present, whole and of this model. Raises
    CheckpointError, ConfigError."""
    open_checkpoint(args.model, args.revision).verify()
