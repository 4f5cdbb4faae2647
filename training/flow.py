"""Stage 3: the flow learns to make mels of tokens.

    python -m training.flow --minutes 90

As at inference: the tokens and mel of another utterance of the same voice come first, as the
voice's prompt; the loss is of what follows. `mu` alone must be near the mel, too, which makes the
encoder learn soon.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from app.core import FRAMES_PER_TOKEN
from app.engine.checkpoint.build_vocoder import build_flow
from training.model import read_model
from training.options import schedule, schedule_options
from training.speech import TOKENS, Speech, drawn, drawn_below
from training.tokenizer import DIGITS, digits_of_codec
from training.training_loop import fit
from training.voices import Voices, drawn_vectors

ROWS, CROP_TOKENS, PROMPT_TOKENS = 12, 44, 36
RATE = 1e-3
MU_WEIGHT = 1.0
NO_GUIDE = 0.2  # of the rows learn without mu, voice and prompt, for guidance
NO_PROMPT = 0.15
SILENT_BIAS = -6.0
PROMPT_FRAMES = FRAMES_PER_TOKEN * PROMPT_TOKENS


def main() -> None:
    given = schedule_options("flow", minutes=90.0, steps=12000, rows=ROWS)
    speech = Speech(given.folder, ("mel", TOKENS), given.device)
    torch.manual_seed(given.seed)
    spec = read_model().s3gen
    flow = begun(build_flow(spec)).to(given.device)
    cuts = Cuts(speech, Voices.read(given.folder))
    trained, checked = speech.trained(CROP_TOKENS), speech.checked(CROP_TOKENS)

    def losses(step: int) -> dict[str, Tensor]:
        return compared(flow, cuts.draw(trained, given.rows))

    @torch.no_grad()
    def check() -> dict[str, float]:
        torch.manual_seed(0)
        batch = cuts.draw(checked, 2 * ROWS)
        parts = compared(flow, batch)
        error = F.l1_loss(made(flow, batch, spec.euler_steps), batch.mel[:, PROMPT_FRAMES:])
        return {
            **{f"checked_{name}": float(value) for name, value in parts.items()},
            "made": float(error),
        }

    fit(given.folder, "flow", flow, schedule(given, RATE), losses=losses, check=check)


@torch.no_grad()
def begun(flow: nn.Module) -> nn.Module:
    """A token's first embedding is its eight digits seen through one random matrix: codes that
    sound alike begin alike."""
    width = flow.input_embedding.embedding_dim
    flow.input_embedding.weight.copy_(digits_of_codec() @ torch.randn(DIGITS, width) / DIGITS**0.5)
    flow.encoder_proj.bias.fill_(SILENT_BIAS)
    return flow


class Batch(NamedTuple):
    """A cut of each utterance behind a cut of another of the same voice."""

    tokens: Tensor  # (rows, prompt + crop)
    mel: Tensor  # (rows, frames, 80)
    speakers: Tensor  # (rows, 192)
    rows: Tensor  # (rows,): the utterances
    first: Tensor  # (rows,): the cut's first token


class Cuts:
    def __init__(self, speech: Speech, voices: Voices) -> None:
        self._speech = speech
        self._speakers = drawn_vectors(voices.s3gen, speech.voices, speech.device)
        some = [speech.trained(PROMPT_TOKENS, voice) for voice in range(len(speech.voices))]
        self._prompts = torch.cat(some)
        sizes = torch.tensor([len(indices) for indices in some], device=speech.device)
        self._num_prompts, self._first_prompt = sizes, sizes.cumsum(0) - sizes

    def draw(self, indices: Tensor, num: int) -> Batch:
        rows = drawn(indices, num)
        voice = self._speech.voice[rows]
        before = self._first_prompt[voice] + drawn_below(self._num_prompts[voice])
        _, *prompt = self._cut(self._prompts[before], PROMPT_TOKENS)
        first, *own = self._cut(rows, CROP_TOKENS)
        tokens, mel = (torch.cat(pair, 1) for pair in zip(prompt, own, strict=True))
        return Batch(tokens, mel, self._speakers(voice), rows, first)

    def _cut(self, rows: Tensor, num: int) -> tuple[Tensor, Tensor, Tensor]:
        first = drawn_below(self._speech.num_tokens[rows] - num + 1)
        tokens = self._speech.cut(TOKENS, rows, first, num)
        frames = (FRAMES_PER_TOKEN * first, FRAMES_PER_TOKEN * num)
        return first, tokens, self._speech.cut("mel", rows, *frames)


@torch.no_grad()
def made(flow: nn.Module, batch: Batch, num_steps: int) -> Tensor:
    """What inference makes of the tokens after the prompt: (rows, frames, 80)."""
    rows = len(batch.tokens)
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
    return mel.transpose(1, 2).clone()  # its own is an inference tensor, of which none can learn


def compared(flow: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """The flow-matching loss of upstream's `compute_loss`, over what follows the prompt, and the
    distance of `mu`."""
    rows, device = len(batch.tokens), batch.tokens.device
    lengths = torch.full((rows,), batch.tokens.shape[1], device=device)
    hidden, _ = flow.encoder(flow.input_embedding(batch.tokens), lengths)
    mu = flow.encoder_proj(hidden).transpose(1, 2)
    mel = batch.mel.transpose(1, 2)
    speakers = flow.spk_embed_affine_layer(F.normalize(batch.speakers, dim=1))
    known = torch.where(torch.rand(rows, device=device) < NO_PROMPT, 0, PROMPT_FRAMES)
    is_known = torch.arange(mel.shape[2], device=device) < known[:, None]
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
