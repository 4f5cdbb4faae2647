"""Stage 1: the S3 tokenizer learns codes from which phones and the mel can be told.

    python -m training.tokenizer --minutes 20

Upstream's class and its own rounding, with the gradient passed straight through it. What tells the
mel and the phones from the codes is thrown away; it is told who speaks, so that the codes need not.
Last it writes every utterance's tokens beside the data.
"""

import sys
from collections.abc import Sequence

import numpy as np
import torch
from chatterbox.models.s3tokenizer import S3_SR
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torchaudio.transforms import Resample

from app.core import FRAMES_PER_TOKEN, NUM_SPEECH_IDS, SAMPLE_RATE
from app.engine.checkpoint.build_enrolment import build_speech_tokenizer
from training.model import read_model
from training.options import schedule, schedule_options
from training.speech import TOKENS, Speech, drawn, drawn_below
from training.synthesise_corpus import PHONES
from training.training_loop import fit, load_average

LEVELS, DIGITS = 3, 8
ALMOST_ONE = 0.9990000128746033  # source: s3tokenizer's FSQCodebook
WIDTH = 192
MEAN_MEL = -5.0
PHONE_WEIGHT = 0.3
CROPS, CROP_TOKENS = 16, 60
AT_ONCE = 50  # utterances
RATE = 1e-3


class Learner(nn.Module):
    def __init__(self, tokenizer: nn.Module, num_voices: int) -> None:
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
        hidden, _ = self.tokenizer.encoder(mels, lengths)
        soft = self.tokenizer.quantizer._codebook.project_down(hidden).tanh() * ALMOST_ONE
        return soft + (soft.round() - soft).detach()

    def decode(self, digits: Tensor, voices: Tensor) -> tuple[Tensor, Tensor]:
        """mel (rows, frames, 80) and phone logits (rows, frames, phones)."""
        x = self.from_digits(digits).repeat_interleave(FRAMES_PER_TOKEN, 1)
        x = (x + self.from_voice(voices)[:, None]).transpose(1, 2)
        for block in self.blocks:
            x = x + F.gelu(block(x))
        x = x.transpose(1, 2)
        return self.mel(x), self.phone(x)


def draw(speech: Speech, indices: Tensor, num: int) -> tuple[Tensor, ...]:
    """24 kHz sound, mel, phones and voices of `num` random cuts of whole tokens."""
    rows = drawn(indices, num)
    first = drawn_below(speech.num_tokens[rows] - CROP_TOKENS + 1) * FRAMES_PER_TOKEN
    audio, mel, phones = (
        speech.cut(name, rows, first, CROP_TOKENS * FRAMES_PER_TOKEN)
        for name in ("audio", "mel", "phone")
    )
    return audio, mel, phones, speech.voice[rows]


def main() -> None:
    given = schedule_options("tokenizer", minutes=20.0, steps=2500)
    speech = Speech(given.folder, ("audio", "mel", "phone"), given.device)
    torch.manual_seed(given.seed)
    tokenizer = build_speech_tokenizer(read_model().s3gen.tokenizer)
    learner = Learner(tokenizer, len(speech.voices)).to(given.device)
    resample = Resample(SAMPLE_RATE, S3_SR).to(given.device)
    trained, checked = speech.trained(CROP_TOKENS), speech.checked(CROP_TOKENS)

    def measured(indices: Tensor, num: int) -> dict[str, Tensor]:
        audio, mel, phones, voices = draw(speech, indices, num)
        heard = torch.stack([tokenizer.log_mel_spectrogram(wav) for wav in resample(audio)])
        lengths = torch.full((num,), heard.shape[-1], device=given.device)
        digits = learner.digits(heard, lengths)
        made, said = learner.decode(digits, voices)
        at_once = learner.phone_of_digits(digits).reshape(*phones.shape, -1)
        return {
            "mel": F.l1_loss(made, mel),
            "phone": PHONE_WEIGHT * F.cross_entropy(said.flatten(0, 1), phones.flatten()),
            "digits": PHONE_WEIGHT * F.cross_entropy(at_once.flatten(0, 1), phones.flatten()),
            "right": (said.argmax(-1) == phones).float().mean(),
            "ids": ids_of(digits.detach()),
        }

    def losses(step: int) -> dict[str, Tensor]:
        parts = measured(trained, CROPS)
        return {name: parts[name] for name in ("mel", "phone", "digits")}

    @torch.no_grad()
    def check() -> dict[str, float]:
        torch.manual_seed(0)
        parts = measured(checked, 4 * CROPS)
        shares = parts["ids"].flatten().bincount(minlength=NUM_SPEECH_IDS) / parts["ids"].numel()
        entropy = -(shares * shares.clamp_min(1e-9).log2()).sum()
        return {
            "checked_mel": float(parts["mel"]),
            "checked_right": float(parts["right"]),
            "bits": float(entropy),
        }

    if fit(given.folder, "tokenizer", learner, schedule(given, RATE), losses=losses, check=check):
        load_average(given.folder, "tokenizer", learner)
        tokenise(speech, learner)


def ids_of(digits: Tensor) -> Tensor:
    """(..., 8) in {-1, 0, 1} to codec ids. Source: s3tokenizer's FSQCodebook.encode."""
    weights = LEVELS ** torch.arange(DIGITS, device=digits.device)
    return ((digits.round() + 1) * weights).sum(-1).long()


def digits_of_codec() -> Tensor:
    """(6561, 8) float32 in {-1, 0, 1}: the inverse of `ids_of`, for every id."""
    return (
        torch.arange(NUM_SPEECH_IDS)[:, None] // LEVELS ** torch.arange(DIGITS) % LEVELS - 1
    ).float()


def tokenise(speech: Speech, learner: Learner) -> None:
    """Every utterance's tokens."""
    resample = Resample(SAMPLE_RATE, S3_SR).to(speech.device)
    for part, indices in speech.indices_by_part():
        tokens = []
        for at in indices[::AT_ONCE]:
            some = range(at, min(at + AT_ONCE, indices.stop))
            heard = [resample(speech.whole("audio", index)) for index in some]
            tokens += codes(learner.tokenizer, heard)
        assert [len(ids) for ids in tokens] == speech.num_tokens[
            indices.start : indices.stop
        ].tolist()
        np.concatenate(tokens).tofile(part.with_suffix(f".{TOKENS}"))
        sys.stdout.write(f"{part.stem}: {sum(map(len, tokens))} tokens\n")
        sys.stdout.flush()


@torch.no_grad()
def codes(tokenizer: nn.Module, sounds: Sequence[Tensor]) -> list[NDArray[np.int16]]:
    """By upstream's own `quantize`; of each sound (samples,) at 16 kHz."""
    ids, lengths = tokenizer(list(sounds))
    return [
        row[:length].numpy().astype(np.int16)
        for row, length in zip(ids.cpu(), lengths.tolist(), strict=True)
    ]


if __name__ == "__main__":
    main()
