"""What a served model is, as the interface and the engines see it. Knows nothing about files."""

from dataclasses import dataclass

from app.core import SamplingParams


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a served model is, and which request fields act on it."""

    name: str
    family: str  # english | multilingual | turbo
    defaults: SamplingParams
    voices: tuple[str, ...]
    languages: tuple[str, ...]  # empty: the field `language` is refused
    has_cfg: bool  # exaggeration, cfg_weight and min_p act
    has_top_k: bool
    max_segment_chars: int = 280
    max_segment_s: float | None = None  # of sound; in a longer segment the model loses its text
    recorded_voices: tuple[str, ...] = ()  # those among `voices` that are in the operator's store
    characters: str | None = None  # that the model can read; None: all
    folds_characters: bool = False  # it reads small letters, and accents apart from their letters
    tags: tuple[str, ...] = ()  # that the model acts, without brackets: laugh
