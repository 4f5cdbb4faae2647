"""Stage 1: the S3 tokenizer learns codes from which phones and the mel can be predicted.

    python -m training.tokenizer --minutes 20

The tokenizer is upstream's class with upstream's rounding; the gradient passes straight through the
rounding. A decoder predicts the mel and the phones from the codes. The decoder is told the voice,
so that the codes need not carry it. The decoder is not part of the checkpoint. At its end, this
stage writes the tokens of every utterance.
"""

import sys
from collections.abc import Sequence

import numpy as np
import torch
from chatterbox.models.s3tokenizer import S3_SR, S3Tokenizer
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torchaudio.transforms import Resample

from app.core import FRAMES_PER_TOKEN, NUM_SPEECH_IDS, SAMPLE_RATE
from app.engine.checkpoint.build_enrolment import build_speech_tokenizer
from training.model import read_model
from training.options import parse_training_options, schedule_of
from training.speech import TOKENS, Speech, draw_below, draw_rows
from training.synthesise_corpus import PHONES
from training.training_loop import load_average, train

LEVELS, DIGITS = 3, 8
ALMOST_ONE = 0.9990000128746033  # source: s3tokenizer's FSQCodebook
WIDTH = 192
MEAN_MEL = -5.0
PHONE_WEIGHT = 0.3
CROPS, CROP_TOKENS = 16, 60
AT_ONCE = 50  # utterances
RATE = 1e-3


class TokenizerWithDecoder(nn.Module):
    def __init__(self, tokenizer: S3Tokenizer, num_voices: int) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.from_digits = nn.Linear(DIGITS, WIDTH)
        self.from_voice = nn.Embedding(num_voices, WIDTH)
        self.blocks = nn.ModuleList(nn.Conv1d(WIDTH, WIDTH, 5, padding=2) for _ in range(4))
        self.mel = nn.Linear(WIDTH, 80)
        nn.init.constant_(self.mel.bias, MEAN_MEL)
        self.phone = nn.Linear(WIDTH, len(PHONES))
        self.phone_of_digits = nn.Linear(DIGITS, FRAMES_PER_TOKEN * len(PHONES))

    def digits(self, mels: Tensor, lengths: Tensor) -> Tensor:
        """(rows, tokens, 8) in {-1, 0, 1}, differentiable."""
        tokenizer: S3Tokenizer = self.tokenizer
        hidden, _ = tokenizer.encoder(mels, lengths)
        soft: Tensor = tokenizer.quantizer._codebook.project_down(hidden).tanh() * ALMOST_ONE
        return soft + (soft.round() - soft).detach()

    def decode(self, digits: Tensor, voices: Tensor) -> tuple[Tensor, Tensor]:
        """mel (rows, frames, 80) and phone logits (rows, frames, phones)."""
        x = self.from_digits(digits).repeat_interleave(FRAMES_PER_TOKEN, 1)
        x = (x + self.from_voice(voices)[:, None]).transpose(1, 2)
        for block in self.blocks:
            x = x + F.gelu(block(x))
        x = x.transpose(1, 2)
        return self.mel(x), self.phone(x)


def draw_crops(speech: Speech, indices: Tensor, num: int) -> tuple[Tensor, ...]:
    """Audio at 24 kHz, mel, phones and voices of `num` random crops of whole tokens."""
    rows = draw_rows(indices, num)
    first = draw_below(speech.num_tokens[rows] - CROP_TOKENS + 1) * FRAMES_PER_TOKEN
    audio, mel, phones = (
        speech.cut(name, rows, first, CROP_TOKENS * FRAMES_PER_TOKEN)
        for name in ("audio", "mel", "phone")
    )
    return audio, mel, phones, speech.voice[rows]


def main() -> None:
    options = parse_training_options("tokenizer", minutes=20.0, steps=2500)
    speech = Speech(options.folder, ("audio", "mel", "phone"), options.device)
    torch.manual_seed(options.seed)
    tokenizer = build_speech_tokenizer(read_model().s3gen.tokenizer)
    model = TokenizerWithDecoder(tokenizer, len(speech.voices)).to(options.device)
    resample = Resample(SAMPLE_RATE, S3_SR).to(options.device)
    training, validation = speech.training(CROP_TOKENS), speech.validation(CROP_TOKENS)

    def measure(indices: Tensor, num: int) -> dict[str, Tensor]:
        audio, mel, phones, voices = draw_crops(speech, indices, num)
        inputs = torch.stack([tokenizer.log_mel_spectrogram(wav) for wav in resample(audio)])
        lengths = torch.full((num,), inputs.shape[-1], device=options.device)
        digits = model.digits(inputs, lengths)
        decoded, logits = model.decode(digits, voices)
        direct = model.phone_of_digits(digits).reshape(*phones.shape, -1)
        return {
            "mel": F.l1_loss(decoded, mel),
            "phone": PHONE_WEIGHT * F.cross_entropy(logits.flatten(0, 1), phones.flatten()),
            "digits": PHONE_WEIGHT * F.cross_entropy(direct.flatten(0, 1), phones.flatten()),
            "right": (logits.argmax(-1) == phones).float().mean(),
            "ids": ids_of(digits.detach()),
        }

    def losses(step: int) -> dict[str, Tensor]:
        parts = measure(training, CROPS)
        return {name: parts[name] for name in ("mel", "phone", "digits")}

    @torch.no_grad()
    def validate() -> dict[str, float]:
        torch.manual_seed(0)
        parts = measure(validation, 4 * CROPS)
        shares = parts["ids"].flatten().bincount(minlength=NUM_SPEECH_IDS) / parts["ids"].numel()
        entropy = -(shares * shares.clamp_min(1e-9).log2()).sum()
        return {
            "validation_mel": float(parts["mel"]),
            "validation_right": float(parts["right"]),
            "bits": float(entropy),
        }

    schedule = schedule_of(options, RATE)
    if train(options.folder, "tokenizer", model, schedule, losses=losses, validate=validate):
        load_average(options.folder, "tokenizer", model)
        write_tokens(speech, model)


def ids_of(digits: Tensor) -> Tensor:
    """(..., 8) in {-1, 0, 1} to codec ids. Source: s3tokenizer's FSQCodebook.encode."""
    weights = LEVELS ** torch.arange(DIGITS, device=digits.device)
    return ((digits.round() + 1) * weights).sum(-1).long()


def digits_of_codec() -> Tensor:
    """(6561, 8) float32 in {-1, 0, 1}: the inverse of `ids_of`, for every id."""
    return (
        torch.arange(NUM_SPEECH_IDS)[:, None] // LEVELS ** torch.arange(DIGITS) % LEVELS - 1
    ).float()


def write_tokens(speech: Speech, model: TokenizerWithDecoder) -> None:
    """Writes the tokens of every utterance beside its other files."""
    resample = Resample(SAMPLE_RATE, S3_SR).to(speech.device)
    for part, indices in speech.indices_by_part():
        tokens = []
        for at in indices[::AT_ONCE]:
            some = range(at, min(at + AT_ONCE, indices.stop))
            audio = [resample(speech.whole("audio", index)) for index in some]
            tokens += tokenise(model.tokenizer, audio)
        assert [len(ids) for ids in tokens] == speech.num_tokens[
            indices.start : indices.stop
        ].tolist()
        np.concatenate(tokens).tofile(part.with_suffix(f".{TOKENS}"))
        sys.stdout.write(f"{part.stem}: {sum(map(len, tokens))} tokens\n")
        sys.stdout.flush()


@torch.no_grad()
def tokenise(tokenizer: S3Tokenizer, wavs: Sequence[Tensor]) -> list[NDArray[np.int16]]:
    """The tokens of each recording, (samples,) at 16 kHz, by upstream's own `quantize`."""
    ids, lengths = tokenizer(list(wavs))
    return [
        row[:length].numpy().astype(np.int16)
        for row, length in zip(ids.cpu(), lengths.tolist(), strict=True)
    ]


if __name__ == "__main__":
    main()
