"""Text to turbo's text ids: transformers' own tokenizer, as in upstream."""

from pathlib import Path

from transformers import AutoTokenizer

from app.engine.checkpoint.punctuation import punctuated
from app.engine.checkpoint.text_origins import PlacedIds, placed


class TurboTokenizer:
    """Upstream: ChatterboxTurboTTS.generate, for texts shorter than GPT-2's 1,024 tokens."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def __len__(self) -> int:
        return len(self._tokenizer)

    def encode(self, text: str, language: str | None) -> tuple[int, ...]:
        return tuple(self._tokenizer(punctuated(text, "turbo")).input_ids)

    def place(self, text: str, language: str | None) -> PlacedIds:
        said = punctuated(text, "turbo")
        encoded = self._tokenizer(said, return_offsets_mapping=True)
        return placed(text, said, encoded.input_ids, encoded.offset_mapping)
