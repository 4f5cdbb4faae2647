"""Finds a model by its name, and says what it is.

    embedded                              small, in this repository; speaks English words
    embedded-babble, embedded-turbo       smaller, random weights, in this repository
    english, multilingual,
    multilingual-v3, turbo, nano          published, from the model hub
    random-english, random-nano, …        a published one's size, with random weights
    a path                                a folder in upstream's layout or in our own

Reads no weights and imports no torch. Knows nothing about loading.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from app.core import TOKENS_PER_S, SamplingParams
from app.engine.checkpoint.full_size import FULL_SIZE, PUBLISHED_NAMES, RANDOM
from app.engine.checkpoint.model_files import (
    PUBLISHED,
    ModelFolder,
    find_folder,
    find_published,
    own_layout,
)
from app.engine.checkpoint.spec import EMBEDDED, ModelSpec
from app.engine.checkpoint.vocabulary import Readable, read_vocabulary_of
from app.errors import CheckpointError
from app.model_card import ModelCard

EMBEDDED_FOLDER = Path(__file__).parents[3] / "checkpoints"
RANDOM_VOICES = ("random-1", "random-2", "random-3")


class Model(Protocol):
    @property
    def spec(self) -> ModelSpec: ...

    def voices(self) -> tuple[str, ...]: ...

    def readable(self) -> Readable:
        """Reads the vocabulary's files. Raises CheckpointError."""
        ...

    def enrolment_id(self) -> str:
        """Part of a file name. It changes when the weights of enrolment change."""
        ...


@dataclass(frozen=True, slots=True)
class RandomModel:
    """`text_folder` (our own layout) has the text tokenizer."""

    spec: ModelSpec
    text_folder: Path
    seed: int = 0

    def voices(self) -> tuple[str, ...]:
        return RANDOM_VOICES

    def readable(self) -> Readable:
        files = own_layout(self.spec.family).text
        return read_vocabulary_of(self.text_folder, files, self.spec.family)

    def enrolment_id(self) -> str:
        return f"{self.spec.name}-{self.seed}"


def find_model(name: str, revision: str | None = None) -> ModelFolder | RandomModel:
    """`revision` is a commit on the model hub. It is refused for a model that is not from the hub.

    Downloads a model of the hub unless it is in the cache. Raises CheckpointError.
    """
    if name in PUBLISHED_NAMES:
        from app.engine.checkpoint import hub  # noqa: PLC0415 (0.3 s, and only for the hub)

        return find_published(hub.fetch(name, PUBLISHED[name].files, revision), name)
    if revision is not None:
        raise CheckpointError(f"revision: is for models of the hub; {name} is not on the hub")
    if name in RANDOM:
        return _random(name, RANDOM[name])
    is_path = "/" in name or (name and Path(name).is_dir())
    if name not in EMBEDDED and not is_path:
        names = [*EMBEDDED, *PUBLISHED_NAMES, *RANDOM]
        raise CheckpointError(
            f"there is no model {name!r}. Set model: to one of {', '.join(names)}, or to a folder"
        )
    return find_folder(EMBEDDED_FOLDER / name if name in EMBEDDED else Path(name))


def card_of(model: Model) -> ModelCard:
    """With the model's own voices alone. No segment has more tokens than the model bears."""
    spec = model.spec
    readable = model.readable()
    return ModelCard(
        name=spec.name,
        family=spec.family,
        defaults=_within(spec.sampling, spec.max_segment_s),
        voices=model.voices(),
        languages=spec.languages,
        has_cfg=spec.family != "turbo",
        has_top_k=spec.family == "turbo",
        max_segment_s=spec.max_segment_s,
        characters=readable.characters,
        folds_characters=spec.family == "multilingual",
        tags=readable.tags,
    )


def _within(sampling: SamplingParams, max_segment_s: float | None) -> SamplingParams:
    if max_segment_s is None:
        return sampling
    return replace(sampling, max_tokens=min(sampling.max_tokens, int(max_segment_s * TOKENS_PER_S)))


def _random(name: str, published: str) -> RandomModel:
    spec = FULL_SIZE[published].model_copy(update={"name": name})
    folder = "embedded-turbo" if spec.family == "turbo" else "embedded-babble"
    return RandomModel(spec, EMBEDDED_FOLDER / folder)
