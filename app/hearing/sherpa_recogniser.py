"""sherpa-onnx: streaming models that the operator brings in a folder.

The folder has `tokens.txt` and either the encoder, decoder and joiner of a streaming transducer
(zipformer, NeMo) or one file of a streaming zipformer CTC model, all as `*.onnx`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import sherpa_onnx
from numpy.typing import NDArray

from app.errors import ConfigError
from app.hearing.sound import RATE

_TAIL_S = 0.66  # of silence that pushes the last words through a transducer's look-ahead


class SherpaRecogniser:
    """Implements app.hearing.recogniser.Recogniser. Its calls release Python's global lock."""

    def __init__(self, model: str | None) -> None:
        if model is None:
            raise ConfigError("hearing.recogniser_model: sherpa-onnx needs the folder of a model")
        self._recogniser = _loaded(Path(model))
        self._stream: Any = None
        self._partial = ""

    def accept(self, pcm: bytes) -> str | None:
        if self._stream is None:
            self._stream = self._recogniser.create_stream()
            self._partial = ""
        self._feed(np.divide(np.frombuffer(pcm, "<i2"), 32768, dtype=np.float32))
        words = self._words()
        if words == self._partial:
            return None
        self._partial = words
        return words

    def final(self) -> str:
        if self._stream is None:
            return ""
        self._feed(np.zeros(round(_TAIL_S * RATE), np.float32))
        self._stream.input_finished()
        self._decode()
        words = self._words()
        self._stream = None
        return words

    def abort(self) -> None:
        self._stream = None

    def live(self) -> bool:
        return self._stream is not None

    def forget(self) -> None:
        self.abort()  # a stream is all that a speaker leaves behind

    def _feed(self, samples: NDArray[np.float32]) -> None:
        self._stream.accept_waveform(RATE, samples)
        self._decode()

    def _decode(self) -> None:
        while self._recogniser.is_ready(self._stream):
            self._recogniser.decode_stream(self._stream)

    def _words(self) -> str:
        return str(self._recogniser.get_result(self._stream)).strip()


def _loaded(folder: Path) -> Any:
    """Raises ConfigError. Files that exist and are no models end the process: sherpa-onnx exits."""
    tokens = folder / "tokens.txt"
    if not tokens.is_file():
        raise ConfigError(f"hearing.recogniser_model: {folder} has no tokens.txt")
    parts = {name: _onnx(folder, name) for name in ("encoder", "decoder", "joiner")}
    common: dict[str, Any] = {"tokens": str(tokens), "num_threads": 1, "sample_rate": RATE}
    try:
        if all(parts.values()):
            files = {name: str(path) for name, path in parts.items()}
            return sherpa_onnx.OnlineRecognizer.from_transducer(**files, **common)
        if (single := _onnx(folder, "")) is not None and not any(parts.values()):
            return sherpa_onnx.OnlineRecognizer.from_zipformer2_ctc(model=str(single), **common)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ConfigError(f"hearing.recogniser_model: {folder}: {error}") from error
    raise ConfigError(
        f"hearing.recogniser_model: {folder} has neither encoder, decoder and joiner nor one model"
    )


def _onnx(folder: Path, prefix: str) -> Path | None:
    """The file of a part; of several, the one with 8-bit weights."""
    found = sorted(folder.glob(f"{prefix}*.onnx"), key=lambda path: ".int8." not in path.name)
    return found[0] if found else None
