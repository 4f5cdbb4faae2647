"""sherpa-onnx: streaming models that the operator brings in a folder.

The folder has `tokens.txt` and either the encoder, decoder and joiner of a streaming transducer
(zipformer, NeMo) or one file of a streaming CTC model (zipformer2, NeMo), all as `*.onnx`.
sherpa-onnx finds out the kind of a transducer itself, and is told that of a CTC model.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import sherpa_onnx
from numpy.typing import NDArray

from app.errors import ConfigError
from app.hearing.sound import RATE

_TAIL_S = 0.66  # of silence that pushes the last words through a model's look-ahead
_STEP_S = 0.1
_MAX_TAIL_S = 10.0  # no streaming model takes so much sound in a step


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
        self._feed_silence()
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

    def _feed_silence(self) -> None:
        """Until the model has made a step: that step takes all sound which was left over."""
        num_steps, tail_s = self._feed(_silence(_TAIL_S)), _TAIL_S
        while num_steps == 0 and tail_s < _MAX_TAIL_S:
            num_steps, tail_s = self._feed(_silence(_STEP_S)), tail_s + _STEP_S

    def _feed(self, samples: NDArray[np.float32]) -> int:
        """How many steps the model has made."""
        self._stream.accept_waveform(RATE, samples)
        return self._decode()

    def _decode(self) -> int:
        num_steps = 0
        while self._recogniser.is_ready(self._stream):
            self._recogniser.decode_stream(self._stream)
            num_steps += 1
        return num_steps

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
            return _ctc_maker(single)(model=str(single), **common)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ConfigError(f"hearing.recogniser_model: {folder}: {error}") from error
    raise ConfigError(
        f"hearing.recogniser_model: {folder} has neither encoder, decoder and joiner nor one model"
    )


def _ctc_maker(path: Path) -> Any:
    """By what the exporters of icefall and NeMo write into a file. Raises ConfigError."""
    written = onnx.load(str(path), load_external_data=False).metadata_props
    properties = {each.key: each.value for each in written}
    if properties.get("model_type") == "zipformer2":
        return sherpa_onnx.OnlineRecognizer.from_zipformer2_ctc
    if "cache_last_channel_dim1" in properties:
        return sherpa_onnx.OnlineRecognizer.from_nemo_ctc
    raise ConfigError(
        f"hearing.recogniser_model: {path} is no streaming CTC model of zipformer2 or NeMo: it has "
        f"the model_type {properties.get('model_type')} and no cache_last_channel_dim1"
    )


def _silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * RATE), np.float32)


def _onnx(folder: Path, prefix: str) -> Path | None:
    """The file of a part; of several, the one with 8-bit weights."""
    found = sorted(folder.glob(f"{prefix}*.onnx"), key=lambda path: ".int8." not in path.name)
    return found[0] if found else None
