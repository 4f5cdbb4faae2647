"""Stage 1c: the teacher reads more text for T3 alone. Only phones and tokens are kept.

    python -m training.read_tokens --hours 80

Continues the corpus where `training.synthesise_corpus` stopped. An hour takes 0.5 MB instead of
400 MB. T3 overfits when it sees a sentence too often; the vocoder's modules do not. Resumable.
`training.synthesise_corpus` may later read the same parts again for the audio.
"""

from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from chatterbox.models.s3tokenizer import S3_SR, S3Tokenizer
from numpy.typing import NDArray
from torchaudio.transforms import Resample

from app.core import SAMPLE_RATE
from app.engine.checkpoint.build_enrolment import build_speech_tokenizer
from training.model import read_model
from training.options import parse_options
from training.speech import TOKENS, Speech
from training.synthesise_corpus import read_missing
from training.tokenizer import TokenizerWithDecoder, tokenise
from training.training_loop import load_average


def main() -> None:
    options = parse_options("read_tokens", hours=80.0, voices="")
    known = Speech(options.folder, ("audio",)).voices
    voices = options.voices.split(",") if options.voices else known
    keep = partial(phones_and_tokens, options.folder, len(known))
    read_missing(options, voices, ("phone", TOKENS), keep)


def phones_and_tokens(
    folder: Path, num_voices: int, audio: NDArray[np.float32], phone: NDArray[np.uint8]
) -> dict[str, NDArray[np.generic]]:
    tokenizer, resample = load_tokenizer(folder, num_voices)
    (ids,) = tokenise(tokenizer, [resample(torch.from_numpy(audio))])
    return {"phone": phone, TOKENS: ids}


@cache
def load_tokenizer(folder: Path, num_voices: int) -> tuple[S3Tokenizer, Resample]:
    """The trained tokenizer and the resampler from 24 to 16 kHz, loaded once per process."""
    model = TokenizerWithDecoder(build_speech_tokenizer(read_model().s3gen.tokenizer), num_voices)
    load_average(folder, "tokenizer", model)
    return model.tokenizer, Resample(SAMPLE_RATE, S3_SR)


if __name__ == "__main__":
    main()
