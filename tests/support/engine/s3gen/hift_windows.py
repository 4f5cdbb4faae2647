"""An utterance decoded by HiFT in windows."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from app.core import SAMPLES_PER_FRAME
from app.engine.checkpoint.full_size import ENGLISH
from app.engine.s3gen.hift import Hift, HiftInput
from app.engine.s3gen.sine_source import SineSource
from tests.support.engine.checkpoint.tiny import TINY_S3GEN

# Upstream's kernels and therefore its reach, with few channels
REACH = TINY_S3GEN.model_copy(
    update={"hift": ENGLISH.s3gen.hift.model_copy(update={"base_channels": 32, "f0_channels": 32})}
)


def decode_windows(
    hift: Hift,
    mel: Tensor,
    cuts: tuple[int, ...],
    source: Tensor | None = None,
) -> Tensor:
    """The sound of all windows; `cuts` are their ends, in frames, after a first 0. `source`, of the
    whole utterance, replaces HiFT's own source signal."""
    state, parts = hift.start(1, 0), []
    for first, end in pairwise(cuts):
        with pytest.MonkeyPatch.context() as patch:
            if source is not None:
                known = state.num_source_frames * SAMPLES_PER_FRAME
                given = source[None, known : end * SAMPLES_PER_FRAME]
                patch.setattr(SineSource, "excitation", lambda *_, given=given: given)
            ((state, wave),) = hift.run([HiftInput(state, mel[:, first:end], end == cuts[-1])])
        parts.append(wave)
    return torch.cat(parts)
