"""Which characters and tags a model can read, from the files of its vocabulary.

Reads JSON and imports no tokenizer, because the application's builder asks here. Knows nothing
about ids.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from app.engine.checkpoint.punctuation import replaced_marks
from app.engine.checkpoint.spec import Family
from app.errors import CheckpointError

_TAG = re.compile(r"\[([a-z][a-z ]*)\]")


@dataclass(frozen=True, slots=True)
class Readable:
    characters: str | None = None  # None: all
    tags: tuple[str, ...] = ()  # without brackets


def read_vocabulary_of(folder: Path, files: tuple[str, ...], family: Family) -> Readable:
    """Raises CheckpointError for a file that is no JSON. A file that is missing is reported where
    the model is loaded."""
    documents = [_parse(folder / name) for name in files if name.endswith(".json")]
    if family == "turbo":  # its vocabulary is bytes: no character is missing
        return Readable(tags=tuple(sorted(_tags(documents))))
    known = {char for document in documents[:1] for char in _vocabulary(document) if len(char) == 1}
    if not known:
        return Readable()
    return Readable(characters="".join(sorted({*known, *replaced_marks(known, family), " "})))


def _parse(path: Path) -> dict[str, object]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return {}
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON, perhaps truncated: {error}") from error
    return document if isinstance(document, dict) else {}


def _vocabulary(document: dict[str, object]) -> set[str]:
    model = document.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    return set(vocabulary) if isinstance(vocabulary, dict) else set()


def _tags(documents: list[dict[str, object]]) -> set[str]:
    """Tokens that were added to the vocabulary: in `tokenizer.json`, or in `added_tokens.json`,
    which has nothing else."""
    added: set[str] = set()
    for document in documents:
        entries = document.get("added_tokens")
        if isinstance(entries, list):
            added |= {str(each.get("content")) for each in entries if isinstance(each, dict)}
        added |= {name for name in document if name.startswith("[")}
    return {match[1] for name in added if (match := _TAG.fullmatch(name)) is not None}
