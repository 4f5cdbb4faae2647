"""Stage 3: the flow learns to make mels of tokens.

    python -m training.flow --minutes 90

As at inference: the tokens and mel of another utterance of the same voice come first, as the
voice's prompt; the loss is of what follows. `mu` alone must be near the mel, too, which makes the
encoder learn soon.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from app.core import FRAMES_PER_TOKEN
from app.engine.checkpoint.build_vocoder import build_flow
from training.fit import Schedule, fit
from training.model import read_model
from training.options import options
from training.speech import Speech, drawn
from training.tokenizer import DIGITS, digits_of_codec
from training.voices import Voices

ROWS, CROP_TOKENS, PROMPT_TOKENS = 12, 44, 36
RATE = 1e-3
MU_WEIGHT = 1.0
NO_GUIDE = 0.2  # of the rows learn without mu, voice and prompt, for guidance
NO_PROMPT = 0.15
SILENT_BIAS = -6.0


def main() -> None:
    given = options("flow", minutes=90.0, steps=12000)
    torch.set_num_threads(given.processes)
    speech = Speech(given.folder)
    voices = Voices.read(given.folder)
    torch.manual_seed(given.seed)
    flow = begun(build_flow(read_model().s3gen))
    cuts = Cuts(speech, voices)
    trained, checked = (some(tokens=CROP_TOKENS) for some in (speech.trained, speech.checked))

    def losses(step: int) -> dict[str, Tensor]:
        return compared(flow, cuts.draw(trained, ROWS))

    @torch.no_grad()
    def check() -> dict[str, float]:
        torch.manual_seed(0)
        batch = cuts.draw(checked, 2 * ROWS)
        parts = compared(flow, batch)
        made = flow.inference(
            token=batch.tokens[:, PROMPT_TOKENS:],
            token_len=torch.full((len(batch.tokens),), CROP_TOKENS),
            prompt_token=batch.tokens[:, :PROMPT_TOKENS],
            prompt_token_len=torch.full((len(batch.tokens),), PROMPT_TOKENS),
            prompt_feat=batch.mel[:, : PROMPT_TOKENS * FRAMES_PER_TOKEN],
            prompt_feat_len=None,
            embedding=batch.speakers,
            finalize=True,
            n_timesteps=read_model().s3gen.euler_steps,
        )[0]
        true = batch.mel[:, PROMPT_TOKENS * FRAMES_PER_TOKEN :].transpose(1, 2)
        return {
            **{f"checked_{name}": float(value) for name, value in parts.items()},
            "made": float(F.l1_loss(made, true)),
        }

    fit(
        given.folder,
        "flow",
        flow,
        Schedule(given.steps, RATE, 0.01, given.minutes),
        losses=losses,
        check=check,
    )


@torch.no_grad()
def begun(flow: nn.Module) -> nn.Module:
    """A token's first embedding is its eight digits seen through one random matrix: codes that
    sound alike begin alike."""
    width = flow.input_embedding.embedding_dim
    flow.input_embedding.weight.copy_(digits_of_codec() @ torch.randn(DIGITS, width) / DIGITS**0.5)
    flow.encoder_proj.bias.fill_(SILENT_BIAS)
    return flow


class Batch:
    def __init__(self, tokens: Tensor, mel: Tensor, speakers: Tensor) -> None:
        self.tokens = tokens  # (rows, prompt + crop)
        self.mel = mel  # (rows, frames, 80)
        self.speakers = speakers  # (rows, 192)


class Cuts:
    """A cut of one utterance behind a cut of another of the same voice."""

    def __init__(self, speech: Speech, voices: Voices) -> None:
        self._speech = speech
        self._voices = voices
        self._prompts = {voice: speech.trained(voice, PROMPT_TOKENS) for voice in speech.voices}

    def draw(self, indices: list[int], num: int) -> Batch:
        rows = []
        for index in drawn(indices, num):
            voice = self._speech.utterances[index].voice
            (before,) = drawn(self._prompts[voice], 1)
            tokens, mel = zip(
                self._cut(before, PROMPT_TOKENS), self._cut(index, CROP_TOKENS), strict=True
            )
            rows.append((torch.cat(tokens), torch.cat(mel), self._voices.speaker_emb(voice)))
        return Batch(*(torch.stack(column) for column in zip(*rows, strict=True)))

    def _cut(self, index: int, num: int) -> tuple[Tensor, Tensor]:
        first = int(torch.randint(self._speech.num_tokens(index) - num + 1, ()))
        mel = self._speech.mel(index, first * FRAMES_PER_TOKEN, num * FRAMES_PER_TOKEN)
        return self._speech.tokens(index)[first : first + num], mel


def compared(flow: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """The flow-matching loss of upstream's `compute_loss`, over what follows the prompt, and the
    distance of `mu`."""
    rows = len(batch.tokens)
    lengths = torch.full((rows,), batch.tokens.shape[1])
    hidden, _ = flow.encoder(flow.input_embedding(batch.tokens), lengths)
    mu = flow.encoder_proj(hidden).transpose(1, 2)
    mel = batch.mel.transpose(1, 2)
    speakers = flow.spk_embed_affine_layer(F.normalize(batch.speakers, dim=1))
    cut = torch.rand(rows) < NO_PROMPT
    known = torch.where(cut, 0, PROMPT_TOKENS * FRAMES_PER_TOKEN)
    is_known = torch.arange(mel.shape[2]) < known[:, None]
    guide = (torch.rand(rows) > NO_GUIDE).float()
    time = 1 - torch.cos(torch.rand(rows) * 0.5 * torch.pi)  # upstream's own schedule
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
