"""The model card of a configuration, and the check of its files.

The card needs names alone, so the application's builder imports no torch. Knows nothing about
stages.
"""

from dataclasses import replace

from app.config import ServeArgs
from app.engine.checkpoint.find_model import card_of, find_model
from app.engine.voices.reference_files import ReferenceFiles, open_file_system
from app.model_card import ModelCard


def model_card(args: ServeArgs) -> ModelCard:
    """The served model, with the operator's voices. A built-in voice hides one with the same name.

    Finds the model and lists the stores. `check_model` checks the files, and so do the stages that
    load them. Raises CheckpointError, ConfigError.
    """
    card = card_of(find_model(args.model, args.revision))
    stored = () if args.voices is None else ReferenceFiles(args.voices).names()
    recorded = tuple(name for name in stored if name not in card.voices)
    if args.voices_cache is not None:
        open_file_system(args.voices_cache)
    return replace(
        card,
        voices=(*card.voices, *recorded),
        recorded_voices=recorded,
        max_segment_chars=args.limits.max_segment_chars,
    )


def check_model(args: ServeArgs) -> None:
    """Check that every file of the model is present, whole and of this model. Raises
    CheckpointError, ConfigError."""
    from app.engine.checkpoint.source import open_checkpoint  # noqa: PLC0415 (it imports torch)

    open_checkpoint(args.model, args.revision).verify()
