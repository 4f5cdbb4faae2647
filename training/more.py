"""Stage 1c: more text is read aloud for T3 alone, of which only phones and tokens are kept.

    python -m training.more --hours 80

Goes on in the corpus where `training.teach` stopped: an hour is 0.5 MB instead of 400. T3 learns
what it has seen too often by heart; the vocoder's parts do not. Resumable; `training.teach` may
later read the same parts again for the rest.
"""

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from chatterbox.models.s3tokenizer import S3_SR
from torchaudio.transforms import Resample

from app.core import SAMPLE_RATE
from app.engine.checkpoint.build_enrolment import build_speech_tokenizer
from training.corpus import Sentence
from training.fit import load_average
from training.model import read_model
from training.options import options
from training.speech import TOKENS, Speech
from training.teach import Utterance, part_file, read_aloud, read_missing, write_part
from training.tokenizer import Learner, codes


def main() -> None:
    given = options("more", hours=80.0)
    taught = Speech(given.folder, ("audio", TOKENS))
    read = partial(read_light_part, given.folder, taught.voices, given.seed)
    read_missing(given, ("phone", TOKENS), read)


def read_light_part(
    folder: Path, voices: Sequence[str], seed: int, part: int, sentences: Sequence[Sentence]
) -> float:
    torch.set_num_threads(1)
    tokenizer, resample = listener(folder, len(voices)), Resample(SAMPLE_RATE, S3_SR)
    random = np.random.default_rng((seed, part))
    read, phones, tokens = [], [], []
    for sentence in sentences:
        voice = voices[random.integers(len(voices))]
        audio, phone = read_aloud(sentence.text, voice, random)
        (ids,) = codes(tokenizer, [resample(torch.from_numpy(audio))])
        read.append(Utterance(sentence.text, sentence.kind, voice, len(phone)))
        phones.append(phone)
        tokens.append(ids)
    return write_part(part_file(folder, part), read, {"phone": phones, TOKENS: tokens})


@cache
def listener(folder: Path, num_voices: int) -> torch.nn.Module:
    learner = Learner(build_speech_tokenizer(read_model().s3gen.tokenizer), num_voices)
    load_average(folder, "tokenizer", learner)
    return learner.tokenizer


if __name__ == "__main__":
    main()
