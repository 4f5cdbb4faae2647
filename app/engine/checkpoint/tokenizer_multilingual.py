"""Text in any language to the multilingual model's text ids. The front ends of the languages are
upstream's own functions."""

import json
import logging
import threading
from collections import defaultdict
from pathlib import Path
from unicodedata import normalize

from chatterbox.models.tokenizers.tokenizer import (
    ChineseCangjieConverter,
    add_hebrew_diacritics,
    add_russian_stress,
    korean_normalize,
)

from app.engine.checkpoint.japanese import JapaneseReader, open_reader
from app.engine.checkpoint.model_files import CANGJIE_FILE
from app.engine.checkpoint.punctuation import punctuated
from app.engine.checkpoint.text_origins import PlacedIds, placed
from app.engine.checkpoint.tokenizer import SPACE, read_vocabulary
from app.errors import UnsupportedField

log = logging.getLogger(__name__)


class MultilingualTokenizer:
    """Upstream: ChatterboxMultilingualTTS.generate and MTLTokenizer.encode. The Chinese front end
    needs downloads. Upstream loads it for every language; here only Chinese text loads it, and only
    Japanese text the reader of Japanese. `japanese` is for tests of parity: UpstreamReader."""

    def __init__(self, path: Path, japanese: JapaneseReader | None = None) -> None:
        self._tokenizer = read_vocabulary(path)
        self._cangjie_path = path.parent / CANGJIE_FILE
        self._chinese: ChineseCangjieConverter | None = None
        self._japanese = japanese
        self._lock = threading.Lock()  # while a front end loads

    def encode(self, text: str, language: str | None) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(self._spelled(text, language)).ids)

    def place(self, text: str, language: str | None) -> PlacedIds:
        spelled = self._spelled(text, language)
        encoding = self._tokenizer.encode(spelled)
        return placed(text, spelled, encoding.ids, encoding.offsets)

    def _spelled(self, text: str, language: str | None) -> str:
        """What the vocabulary is given."""
        text = self._read(punctuated(text, "multilingual").lower(), language)
        if language is not None:
            text = f"[{language}]{text}"
        return text.replace(" ", SPACE)

    def _read(self, text: str, language: str | None) -> str:
        if language == "ja":
            return self._japanese_reader().kana(text)
        text = normalize("NFKD", text)
        match language:
            case "zh":
                text = self._chinese_converter()(text)
            case "he":
                text = add_hebrew_diacritics(text)
            case "ko":
                text = korean_normalize(text)
            case "ru":
                text = add_russian_stress(text)
        return text

    def _chinese_converter(self) -> ChineseCangjieConverter:
        with self._lock:
            if self._chinese is None:
                self._chinese = _load_chinese(self._cangjie_path)
            return self._chinese

    def _japanese_reader(self) -> JapaneseReader:
        with self._lock:
            if self._japanese is None:
                self._japanese = open_reader()
            return self._japanese


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
