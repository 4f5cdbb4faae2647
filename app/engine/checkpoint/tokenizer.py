"""Text to T3's text ids, for each family as in upstream.

The English front end is written again over the tokenizers library: upstream's module imports the
hub's client too. Knows nothing about segments, requests or the origin of a model's files.
"""

import json
from pathlib import Path
from typing import Any, Protocol

from tokenizers import Tokenizer

from app.engine.checkpoint.punctuation import punctuated
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.text_origins import PlacedIds, placed
from app.errors import CheckpointError

SPACE = "[SPACE]"
_START, _STOP = "[START]", "[STOP]"


class TextTokenizer(Protocol):
    def encode(self, text: str, language: str | None) -> tuple[int, ...]:
        """The ids of the text, without start and stop. Any thread.

        Raises UnsupportedField for a language whose front end cannot work on this machine."""
        ...

    def place(self, text: str, language: str | None) -> PlacedIds:
        """As `encode`, with the characters that the ids stand for."""
        ...


class EnglishTokenizer:
    """Upstream: ChatterboxTTS.generate and EnTokenizer.encode."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = read_vocabulary(path)

    def encode(self, text: str, language: str | None) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(_spaced(text)).ids)

    def place(self, text: str, language: str | None) -> PlacedIds:
        spaced = _spaced(text)
        encoding = self._tokenizer.encode(spaced)
        return placed(text, spaced, encoding.ids, encoding.offsets)


def _spaced(text: str) -> str:
    return punctuated(text, "english").replace(" ", SPACE)


def open_tokenizer(spec: ModelSpec, folder: Path, files: tuple[str, ...]) -> TextTokenizer:
    """`files[0]` holds the vocabulary. Each family imports its own libraries. Raises
    CheckpointError."""
    documents = {name: _parse(folder / name) for name in files if name.endswith(".json")}
    if spec.family == "turbo":
        from app.engine.checkpoint.tokenizer_turbo import TurboTokenizer  # noqa: PLC0415

        turbo = TurboTokenizer(folder)
        if len(turbo) > spec.t3.text_vocab:
            raise CheckpointError(
                f"{folder / files[0]} has {len(turbo)} text ids where the model has "
                f"{spec.t3.text_vocab}; check that {', '.join(files)} belong to this model"
            )
        return turbo
    path = folder / files[0]
    if "model" not in documents[files[0]]:
        raise CheckpointError(f"{path} is not a tokenizer of this model: it has no vocabulary")
    if spec.family == "english":
        return EnglishTokenizer(path)
    from app.engine.checkpoint.tokenizer_multilingual import MultilingualTokenizer  # noqa: PLC0415

    return MultilingualTokenizer(path)


def read_vocabulary(path: Path) -> Tokenizer:
    """Source: EnTokenizer's constructor. Raises CheckpointError."""
    tokenizer = Tokenizer.from_file(str(path))
    if not {_START, _STOP} <= tokenizer.get_vocab().keys():
        message = f"it has no {_START} or no {_STOP}"
        raise CheckpointError(f"{path} is not a tokenizer of this model: {message}")
    return tokenizer


def _parse(path: Path) -> Any:
    """Checked here, because the tokenizer libraries raise a bare Exception for a truncated file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path.name} is missing: looked in {path.parent}") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON, perhaps truncated: {error}") from error
