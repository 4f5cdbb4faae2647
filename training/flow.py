"""Stage 3: the flow learns to make mels from tokens.

    python -m training.flow --minutes 90

As at inference, the tokens and the mel of another utterance of the same voice come first, as the
voice's prompt. The loss covers only the frames after the prompt. A second loss holds `mu` alone
near the mel: with it the encoder learns earlier.
"""

from typing import NamedTuple

import torch
from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
from torch import Tensor
from torch.nn import functional as F

from app.core import FRAMES_PER_TOKEN
from app.engine.checkpoint.build_vocoder import build_upstream_flow
from training.model import read_model
from training.options import parse_training_options, schedule_of
from training.speech import TOKENS, Speech, draw_below, draw_rows
from training.tokenizer import DIGITS, digits_of_codec
from training.training_loop import train
from training.voices import Voices, speaker_table

ROWS, CROP_TOKENS, PROMPT_TOKENS = 12, 44, 36
RATE = 1e-3
MU_WEIGHT = 1.0
NO_GUIDE = 0.2  # share of rows without mu, voice and prompt, for classifier-free guidance
NO_PROMPT = 0.15
SILENT_BIAS = -6.0
PROMPT_FRAMES = FRAMES_PER_TOKEN * PROMPT_TOKENS


def main() -> None:
    options = parse_training_options("flow", minutes=90.0, steps=12000, rows=ROWS)
    speech = Speech(options.folder, ("mel", TOKENS), options.device)
    torch.manual_seed(options.seed)
    spec = read_model().s3gen
    flow = initialise(build_upstream_flow(spec)).to(options.device)
    crops = Crops(speech, Voices.read(options.folder))
    training, validation = speech.training(CROP_TOKENS), speech.validation(CROP_TOKENS)

    def losses(step: int) -> dict[str, Tensor]:
        return losses_of(flow, crops.draw(training, options.rows))

    @torch.no_grad()
    def validate() -> dict[str, float]:
        torch.manual_seed(0)
        batch = crops.draw(validation, 2 * ROWS)
        parts = losses_of(flow, batch)
        generated = generate_mel(flow, batch, spec.euler_steps)
        return {
            **{f"validation_{name}": float(value) for name, value in parts.items()},
            "generated": float(F.l1_loss(generated, batch.mel[:, PROMPT_FRAMES:])),
        }

    schedule = schedule_of(options, RATE)
    train(options.folder, "flow", flow, schedule, losses=losses, validate=validate)


@torch.no_grad()
def initialise(flow: CausalMaskedDiffWithXvec) -> CausalMaskedDiffWithXvec:
    """A token's initial embedding is a random projection of its eight digits: codes that sound
    alike start alike."""
    width = flow.input_embedding.embedding_dim
    flow.input_embedding.weight.copy_(digits_of_codec() @ torch.randn(DIGITS, width) / DIGITS**0.5)
    flow.encoder_proj.bias.fill_(SILENT_BIAS)
    return flow


class Batch(NamedTuple):
    """Each row is a prompt from one utterance, then a crop of another one of the same voice."""

    tokens: Tensor  # (rows, prompt + crop)
    mel: Tensor  # (rows, frames, 80)
    speakers: Tensor  # (rows, 192)
    rows: Tensor  # (rows,): the index of the cropped utterance
    first: Tensor  # (rows,): the first token of the crop


class Crops:
    def __init__(self, speech: Speech, voices: Voices) -> None:
        self._speech = speech
        self._speakers = speaker_table(voices.s3gen, speech.voices, speech.device)
        some = [speech.training(PROMPT_TOKENS, voice) for voice in range(len(speech.voices))]
        self._prompts = torch.cat(some)
        sizes = torch.tensor([len(indices) for indices in some], device=speech.device)
        self._num_prompts, self._first_prompt = sizes, sizes.cumsum(0) - sizes

    def draw(self, indices: Tensor, num: int) -> Batch:
        rows = draw_rows(indices, num)
        voice = self._speech.voice[rows]
        prompts = self._first_prompt[voice] + draw_below(self._num_prompts[voice])
        _, *prompt = self._cut(self._prompts[prompts], PROMPT_TOKENS)
        first, *own = self._cut(rows, CROP_TOKENS)
        tokens, mel = (torch.cat(pair, 1) for pair in zip(prompt, own, strict=True))
        return Batch(tokens, mel, self._speakers(voice), rows, first)

    def _cut(self, rows: Tensor, num: int) -> tuple[Tensor, Tensor, Tensor]:
        first = draw_below(self._speech.num_tokens[rows] - num + 1)
        tokens = self._speech.cut(TOKENS, rows, first, num)
        frames = (FRAMES_PER_TOKEN * first, FRAMES_PER_TOKEN * num)
        return first, tokens, self._speech.cut("mel", rows, *frames)


@torch.no_grad()
def generate_mel(flow: CausalMaskedDiffWithXvec, batch: Batch, num_steps: int) -> Tensor:
    """(rows, frames, 80): the mel of the tokens after the prompt, as inference makes it."""
    rows = len(batch.tokens)
    mel: Tensor
    mel, _ = flow.inference(
        token=batch.tokens[:, PROMPT_TOKENS:],
        token_len=torch.full((rows,), CROP_TOKENS, device=batch.tokens.device),
        prompt_token=batch.tokens[:, :PROMPT_TOKENS],
        prompt_token_len=torch.full((rows,), PROMPT_TOKENS, device=batch.tokens.device),
        prompt_feat=batch.mel[:, :PROMPT_FRAMES],
        prompt_feat_len=None,
        embedding=batch.speakers,
        finalize=True,
        n_timesteps=num_steps,
    )
    return mel.transpose(1, 2).clone()  # training cannot use upstream's inference tensor


def losses_of(flow: CausalMaskedDiffWithXvec, batch: Batch) -> dict[str, Tensor]:
    """The flow-matching loss of upstream's `compute_loss` on the frames after the prompt, and the
    L1 distance of `mu`."""
    rows, device = len(batch.tokens), batch.tokens.device
    lengths = torch.full((rows,), batch.tokens.shape[1], device=device)
    hidden, _ = flow.encoder(flow.input_embedding(batch.tokens), lengths)
    mu = flow.encoder_proj(hidden).transpose(1, 2)
    mel = batch.mel.transpose(1, 2)
    speakers = flow.spk_embed_affine_layer(F.normalize(batch.speakers, dim=1))
    num_known = torch.where(torch.rand(rows, device=device) < NO_PROMPT, 0, PROMPT_FRAMES)
    is_known = torch.arange(mel.shape[2], device=device) < num_known[:, None]
    guide = (torch.rand(rows, device=device) > NO_GUIDE).float()
    time = 1 - torch.cos(torch.rand(rows, device=device) * 0.5 * torch.pi)  # upstream's schedule
    noise = torch.randn_like(mel)
    along = torch.lerp(noise, mel, time[:, None, None])
    velocity = flow.decoder.estimator(
        along,
        torch.ones_like(mel[:, :1]),
        mu * guide[:, None, None],
        time,
        speakers * guide[:, None],
        torch.where(is_known[:, None], mel, 0.0) * guide[:, None, None],
    )
    weight = (~is_known)[:, None].float()
    error = (velocity - (mel - noise)).square() * weight
    return {
        "cfm": error.sum() / (weight.sum() * mel.shape[1]),
        "mu": MU_WEIGHT * F.l1_loss(mu, mel),
    }


if __name__ == "__main__":
    main()
