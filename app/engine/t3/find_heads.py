"""The alignment heads of a checkpoint: as configured, as found before, or found now.

What was found is kept beside the model as `alignment.<digest of T3>.json`, so every later load
knows it. A folder that cannot be written is no error: the next load finds the heads again. Knows
nothing about how heads are found.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem
from pydantic import TypeAdapter, ValidationError

from app.engine.checkpoint.find_model import Model
from app.engine.checkpoint.model_files import ModelFolder
from app.engine.t3.alignment_heads import NO_HEADS, AlignmentHeads, Head
from app.errors import ConfigError
from app.t3_settings import T3Settings
from app.voices.storage import put_whole

log = logging.getLogger(__name__)

_FORM: TypeAdapter[AlignmentHeads] = TypeAdapter(AlignmentHeads)


def find_heads(
    model: Model, settings: T3Settings, calibrate: Callable[[], AlignmentHeads] | None
) -> AlignmentHeads:
    """`calibrate`: None where the model has no voice to speak in. Raises ConfigError for a head
    that the model does not have."""
    if settings.word_heads == "off":
        return NO_HEADS
    if settings.word_heads != "auto":
        return _configured(model, settings.word_heads, settings.word_offset_ms)
    if isinstance(model, ModelFolder) and calibrate is not None:
        found = _kept(model.folder / f"alignment.{model.t3_digest()}.json", calibrate)
        what = _told(found)
    else:
        found, what = NO_HEADS, "estimated: the model has random weights or no voice"
    log.info("times of words of %s: %s", model.spec.name, what)
    return found


def _kept(path: Path, calibrate: Callable[[], AlignmentHeads]) -> AlignmentHeads:
    found = _read(path)
    if found is None:
        found = calibrate()
        _write(path, found)
    return found


def _configured(
    model: Model, word_heads: tuple[tuple[int, int], ...], offset_ms: float
) -> AlignmentHeads:
    spec = model.spec.t3
    heads = tuple(sorted(Head(*pair) for pair in word_heads))
    for head in heads:
        if not (0 <= head.layer < spec.num_layers and 0 <= head.head < spec.num_heads):
            sizes = f"{spec.num_layers} layers of {spec.num_heads} heads"
            raise ConfigError(f"t3.word_heads: {list(head)} is not in the model, which has {sizes}")
    return AlignmentHeads(heads, offset_ms)


def _read(path: Path) -> AlignmentHeads | None:
    """None where they must be found."""
    try:
        return _FORM.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("finding the alignment heads again: %s: %s", path.name, error)
        return None


def _write(path: Path, found: AlignmentHeads) -> None:
    try:
        put_whole(LocalFileSystem(), str(path), _FORM.dump_json(found, indent=2) + b"\n")
    except OSError as error:
        log.warning("the alignment heads are found at every start: %s", error)


def _told(found: AlignmentHeads) -> str:
    if not found.heads:
        return f"estimated: no head follows the text (best score {found.score})"
    heads = ", ".join(f"layer {head.layer} head {head.head}" for head in found.heads)
    found_in = f"score {found.score}, found in {found.took_s} s"
    return f"from {heads}, {found.offset_ms} ms before their sound ({found_in})"
