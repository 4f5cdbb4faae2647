"""Stage 1c: more text is read aloud for T3 alone, of which only phones and tokens are kept.

    python -m training.read_tokens --hours 80

Goes on in the corpus where `training.synthesise_corpus` stopped: an hour is 0.5 MB instead of 400. T3 learns
what it has seen too often by heart; the vocoder's parts do not. Resumable; `training.synthesise_corpus` may
later read the same parts again for the rest.
"""

from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from chatterbox.models.s3tokenizer import S3_SR
from numpy.typing import NDArray
from torch import nn
from torchaudio.transforms import Resample

from app.core import SAMPLE_RATE
from app.engine.checkpoint.build_enrolment import build_speech_tokenizer
from training.model import read_model
from training.options import options
from training.speech import TOKENS, Speech
from training.synthesise_corpus import read_missing
from training.tokenizer import Learner, codes
from training.training_loop import load_average


def main() -> None:
    given = options("more", hours=80.0, voices="")
    voices = Speech(given.folder, ("audio",)).voices
    said = given.voices.split(",") if given.voices else voices
    read_missing(
        given, said, ("phone", TOKENS), partial(phones_and_tokens, given.folder, len(voices))
    )


def phones_and_tokens(
    folder: Path, num_voices: int, audio: NDArray[np.float32], phone: NDArray[np.uint8]
) -> dict[str, NDArray[np.generic]]:
    tokenizer, resample = listener(folder, num_voices)
    (ids,) = codes(tokenizer, [resample(torch.from_numpy(audio))])
    return {"phone": phone, TOKENS: ids}


@cache
def listener(folder: Path, num_voices: int) -> tuple[nn.Module, nn.Module]:
    """Tokenizer, and what makes 16 kHz of 24; once in a process."""
    learner = Learner(build_speech_tokenizer(read_model().s3gen.tokenizer), num_voices)
    load_average(folder, "tokenizer", learner)
    return learner.tokenizer, Resample(SAMPLE_RATE, S3_SR)


if __name__ == "__main__":
    main()
