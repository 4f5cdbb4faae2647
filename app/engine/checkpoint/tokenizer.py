"""Text to T3's text ids, for each family as in upstream.

The language front ends are upstream's own functions. Knows nothing about segments, requests or the
origin of a model's files.
"""

import json
import logging
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any, Protocol
from unicodedata import normalize

from chatterbox.models.tokenizers import EnTokenizer
from chatterbox.models.tokenizers.tokenizer import (
    SPACE,
    ChineseCangjieConverter,
    add_hebrew_diacritics,
    add_russian_stress,
    hiragana_normalize,
    korean_normalize,
)

from app.engine.checkpoint.punctuation import punctuated
from app.engine.checkpoint.spec import ModelSpec
from app.errors import CheckpointError, UnsupportedField

log = logging.getLogger(__name__)

CANGJIE_FILE = "Cangjie5_TC.json"


class TextTokenizer(Protocol):
    def encode(self, text: str, language: str | None) -> tuple[int, ...]:
        """The ids of the text, without start and stop. Any thread.

        Raises UnsupportedField for a language whose front end cannot work on this machine."""
        ...


class EnglishTokenizer:
    """Upstream: ChatterboxTTS.generate."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = EnTokenizer(str(path))

    def encode(self, text: str, language: str | None) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(punctuated(text, "english")))


class MultilingualTokenizer:
    """Upstream: ChatterboxMultilingualTTS.generate and MTLTokenizer.encode. The Chinese front end
    needs downloads. Upstream loads it for every language; here only Chinese text loads it."""

    def __init__(self, path: Path) -> None:
        self._tokenizer = EnTokenizer(str(path)).tokenizer
        self._cangjie_path = path.parent / CANGJIE_FILE
        self._chinese: ChineseCangjieConverter | None = None
        self._chinese_lock = threading.Lock()

    def encode(self, text: str, language: str | None) -> tuple[int, ...]:
        text = normalize("NFKD", punctuated(text, "multilingual").lower())
        match language:
            case "zh":
                text = self._chinese_converter()(text)
            case "ja":
                text = hiragana_normalize(text)
            case "he":
                text = add_hebrew_diacritics(text)
            case "ko":
                text = korean_normalize(text)
            case "ru":
                text = add_russian_stress(text)
        if language is not None:
            text = f"[{language}]{text}"
        return tuple(self._tokenizer.encode(text.replace(" ", SPACE)).ids)

    def _chinese_converter(self) -> ChineseCangjieConverter:
        with self._chinese_lock:
            if self._chinese is None:
                self._chinese = _load_chinese(self._cangjie_path)
            return self._chinese


class TurboTokenizer:
    """Upstream: ChatterboxTurboTTS.generate, for texts shorter than GPT-2's 1,024 tokens."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer  # noqa: PLC0415 (2 s, and only for turbo)

        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def __len__(self) -> int:
        return len(self._tokenizer)

    def encode(self, text: str, language: str | None) -> tuple[int, ...]:
        return tuple(self._tokenizer(punctuated(text, "turbo")).input_ids)


def open_tokenizer(spec: ModelSpec, folder: Path, files: tuple[str, ...]) -> TextTokenizer:
    """`files[0]` holds the vocabulary. Raises CheckpointError."""
    documents = {name: _parse(folder / name) for name in files if name.endswith(".json")}
    if spec.family == "turbo":
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
    cls = MultilingualTokenizer if spec.family == "multilingual" else EnglishTokenizer
    return cls(path)


def _parse(path: Path) -> Any:
    """Checked here, because the tokenizer libraries raise a bare Exception for a truncated file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path.name} is missing: looked in {path.parent}") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON, perhaps truncated: {error}") from error


def _load_chinese(path: Path) -> ChineseCangjieConverter:
    """Upstream's converter with the table at `path`. Upstream's constructor downloads the table and
    continues without it where that fails. The segmenter downloads its own model once, into the
    user's home."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        from spacy_pkuseg import pkuseg  # noqa: PLC0415 (0.6 s, and only for Chinese)

        segmenter = pkuseg()
    except (OSError, ValueError, ImportError) as error:
        log.warning("Chinese text cannot be spoken: %s", error)
        raise UnsupportedField(
            f"language: zh does not work on this server; it needs {path.name} in the model's "
            "folder, and spacy_pkuseg with its model",
            param="language",
        ) from error
    converter = ChineseCangjieConverter.__new__(ChineseCangjieConverter)
    converter.segmenter = segmenter
    converter.word2cj = {}
    converter.cj2word = defaultdict(list)
    for entry in entries:
        word, code = entry.split("\t")[:2]
        converter.word2cj[word] = code
        converter.cj2word[code].append(word)
    return converter
