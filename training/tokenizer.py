"""Stage 1: the S3 tokenizer learns codes from which phones and the mel can be told.

    python -m training.tokenizer --minutes 20

Upstream's class and its own rounding, with the gradient passed straight through it. What tells the
mel and the phones from the codes is thrown away; it is told who speaks, so that the codes need not.
Last it writes every utterance's tokens beside the data.
"""

import sys

import numpy as np
import torch
from chatterbox.models.s3tokenizer import S3_SR
from torch import Tensor, nn
from torch.nn import functional as F
from torchaudio.transforms import Resample

from app.core import FRAMES_PER_TOKEN, NUM_SPEECH_IDS, SAMPLE_RATE
from app.engine.checkpoint.build_enrolment import build_speech_tokenizer
from training.fit import Schedule, fit, load_average
from training.model import read_model
from training.options import options
from training.speech import TOKENS, Speech, drawn
from training.teach import PHONES

LEVELS, DIGITS = 3, 8
ALMOST_ONE = 0.9990000128746033  # source: s3tokenizer's FSQCodebook
WIDTH = 192
MEAN_MEL = -5.0
PHONE_WEIGHT = 0.3
CROPS, CROP_TOKENS = 16, 60
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


class Crops:
    """Random cuts of whole tokens."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self._resample = Resample(SAMPLE_RATE, S3_SR)

    def draw(self, indices: list[int], num: int, tokens: int) -> tuple[Tensor, ...]:
        """16 kHz sound, mel, phones and voices of `num` cuts; draws from torch's generator."""
        speech, frames = self._speech, tokens * FRAMES_PER_TOKEN
        rows = []
        for index in drawn(indices, num):
            spare = speech.num_tokens(index) - tokens
            first = int(torch.randint(spare + 1, ())) * FRAMES_PER_TOKEN
            cut = (index, first, frames)
            voice = torch.tensor(speech.voices.index(speech.utterances[index].voice))
            rows.append((speech.audio(*cut), speech.mel(*cut), speech.phones(*cut), voice))
        audio, mel, phones, voices = (torch.stack(column) for column in zip(*rows, strict=True))
        return self._resample(audio), mel, phones, voices


def main() -> None:
    given = options("tokenizer", minutes=20.0, steps=2500)
    torch.set_num_threads(given.processes)
    speech = Speech(given.folder)
    torch.manual_seed(given.seed)
    learner = Learner(build_speech_tokenizer(read_model().s3gen.tokenizer), len(speech.voices))
    crops = Crops(speech)
    trained, checked = (some(tokens=CROP_TOKENS) for some in (speech.trained, speech.checked))

    def measured(indices: list[int], num: int) -> dict[str, Tensor]:
        audio, mel, phones, voices = crops.draw(indices, num, CROP_TOKENS)
        heard = torch.stack([learner.tokenizer.log_mel_spectrogram(wav) for wav in audio])
        digits = learner.digits(heard, torch.full((num,), heard.shape[-1]))
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

    schedule = Schedule(given.steps, RATE, minutes=given.minutes)
    if fit(given.folder, "tokenizer", learner, schedule, losses=losses, check=check):
        load_average(given.folder, "tokenizer", learner)
        tokenise(speech, learner)


def ids_of(digits: Tensor) -> Tensor:
    """(..., 8) in {-1, 0, 1} to codec ids. Source: s3tokenizer's FSQCodebook.encode."""
    return ((digits.round() + 1) * LEVELS ** torch.arange(DIGITS)).sum(-1).long()


def digits_of_codec() -> Tensor:
    """(6561, 8) float32 in {-1, 0, 1}: the inverse of `ids_of`, for every id."""
    return (
        torch.arange(NUM_SPEECH_IDS)[:, None] // LEVELS ** torch.arange(DIGITS) % LEVELS - 1
    ).float()


@torch.no_grad()
def tokenise(speech: Speech, learner: Learner) -> None:
    """Every utterance's tokens, by upstream's own `quantize`."""
    resample = Resample(SAMPLE_RATE, S3_SR)
    index = 0
    for part in speech.parts:
        tokens = []
        for _ in part.read_text().splitlines():
            audio = resample(speech.audio(index))
            ids = learner.tokenizer([audio])[0][0]
            assert len(ids) == speech.num_tokens(index)
            tokens.append(ids.numpy().astype(np.int16))
            index += 1
        np.concatenate(tokens).tofile(part.with_suffix(f".{TOKENS}"))
        sys.stdout.write(f"{part.stem}: {sum(map(len, tokens))} tokens\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
