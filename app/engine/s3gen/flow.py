"""Speech tokens to mel: our own inference over upstream's flow modules, several cells in one call.

Differs from upstream's `CausalMaskedDiffWithXvec.inference` in what it does not do: it draws no
noise (an input), casts no token, prints nothing, writes to no module, asks the device nothing, and
cuts the look-ahead before the solver (upstream's finalize=False raises). Cells of any lengths may
share a call: padding is zeroed right behind the encoder's embedding, whose bias would otherwise
leak through the look-ahead convolution into the last frames. Knows nothing about streams.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log

import torch
import torch.nn.functional as F
from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
from chatterbox.models.s3gen.transformer.encoder_layer import ConformerEncoderLayer
from chatterbox.models.s3gen.transformer.subsampling import LinearNoSubsampling
from torch import Tensor

from app.core import FRAMES_PER_TOKEN, NUM_SPEECH_IDS
from app.engine.s3gen.estimator import Estimator

MAX_FRAMES = 5000  # of prompt, context and new sound in one call: 100 s


@dataclass(frozen=True, slots=True)
class FlowCell:
    """One row of a call. Frames are prompt, context, new, in this order; the look-ahead's frames
    end with the encoder."""

    tokens: tuple[int, ...]  # prompt, context, new, look-ahead
    prompt_mel: Tensor  # (prompt frames, 80)
    speaker: Tensor  # (80,), see `Flow.project_speaker`
    noise: Tensor  # (80, frames)
    num_ahead_frames: int
    num_new_frames: int

    @property
    def num_frames(self) -> int:
        return FRAMES_PER_TOKEN * len(self.tokens) - self.num_ahead_frames


class Flow:
    """`num_steps` of Euler. Mean-flow models run one row per cell, others a guided pair."""

    def __init__(self, flow: CausalMaskedDiffWithXvec, num_steps: int) -> None:
        self._flow = flow
        self._encoder = flow.encoder
        self._device = flow.encoder_proj.weight.device
        self._estimator = Estimator(
            flow.decoder.estimator,
            num_steps,
            cfg_rate=flow.decoder.inference_cfg_rate,
            is_cosine=flow.decoder.t_scheduler == "cosine",
        )
        dim = flow.encoder.output_size()
        self._positions = relative_positions(dim, MAX_FRAMES).to(self._device)
        self._scale = dim**0.5

    def project_speaker(self, speaker_emb: Tensor) -> Tensor:
        """(192,) x-vector, any length -> (80,)."""
        unit = F.normalize(speaker_emb.to(self._device), dim=0)
        projected: Tensor = self._flow.spk_embed_affine_layer(unit)
        return projected

    def mels(self, cells: Sequence[FlowCell]) -> list[Tensor]:
        """(80, new frames) per cell. Raises ValueError on what the modules cannot take."""
        for cell in cells:
            _check(cell)
        mu, num_frames = self._encode(cells)
        longest = mu.shape[2]
        cond = torch.zeros_like(mu)
        noise = torch.zeros_like(mu)
        for row, cell in enumerate(cells):
            cond[row, :, : len(cell.prompt_mel)] = cell.prompt_mel.T
            noise[row, :, : cell.num_frames] = cell.noise
        mask = None if _is_rectangle(num_frames) else self._mask(num_frames, longest)
        speaker = torch.stack([cell.speaker for cell in cells])
        mel = self._estimator.solve(noise, mu, speaker, cond, mask)
        return [
            mel[row, :, cell.num_frames - cell.num_new_frames : cell.num_frames]
            for row, cell in enumerate(cells)
        ]

    def _encode(self, cells: Sequence[FlowCell]) -> tuple[Tensor, list[int]]:
        """(rows, 80, longest) with zeros past each row's frames, and how many it has."""
        num_tokens = [len(cell.tokens) for cell in cells]
        longest = max(num_tokens)
        padded = [cell.tokens + (0,) * (longest - len(cell.tokens)) for cell in cells]
        ids = torch.tensor(padded, dtype=torch.int64, device=self._device)
        mask = self._mask(num_tokens, longest)
        h = self._embed(self._encoder.embed, self._flow.input_embedding(ids), mask)
        h = self._encoder.pre_lookahead_layer(h)
        h = self._attend(self._encoder.encoders, h, mask)
        h, _ = self._encoder.up_layer(h.mT.contiguous(), 0)
        mask = self._mask([FRAMES_PER_TOKEN * count for count in num_tokens], h.shape[2])
        h = self._embed(self._encoder.up_embed, h.mT.contiguous(), mask)
        h = self._attend(self._encoder.up_encoders, h, mask)
        mu = self._flow.encoder_proj(self._encoder.after_norm(h)).mT
        num_frames = [cell.num_frames for cell in cells]
        kept = self._mask(num_frames, max(num_frames))
        return mu[:, :, : kept.shape[2]] * kept, num_frames

    def _embed(self, embed: LinearNoSubsampling, x: Tensor, mask: Tensor) -> Tensor:
        """Upstream's LinearNoSubsampling without its position module, which grows a table."""
        embedded: Tensor = embed.out(x * mask.mT) * mask.mT
        scaled: Tensor = embedded * self._scale
        return scaled

    def _attend(self, layers: Iterable[ConformerEncoderLayer], x: Tensor, mask: Tensor) -> Tensor:
        length = x.shape[1]
        positions = self._positions[:, MAX_FRAMES - length : MAX_FRAMES + length - 1]
        for layer in layers:
            x, _, _, _ = layer(x, mask, positions, mask)
        return x

    def _mask(self, lengths: Sequence[int], longest: int) -> Tensor:
        """(rows, 1, longest): true where a row has something."""
        index = torch.arange(longest, device=self._device)
        return index < torch.tensor(lengths, device=self._device)[:, None, None]


def relative_positions(dim: int, length: int) -> Tensor:
    """(1, 2 length - 1, dim): sines and cosines of positions length-1 .. -(length-1).

    Source: the table of upstream's EspnetRelPositionalEncoding (espnet pull request 2816).
    """
    position = torch.arange(length - 1, -length, -1, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * -(log(10000.0) / dim))
    return torch.stack([torch.sin(position * rate), torch.cos(position * rate)], -1).flatten(1)[
        None
    ]


def _is_rectangle(lengths: Sequence[int]) -> bool:
    return len(set(lengths)) == 1


def _check(cell: FlowCell) -> None:
    if not cell.tokens:
        raise ValueError("a cell needs at least one token")
    if min(cell.tokens) < 0 or max(cell.tokens) >= NUM_SPEECH_IDS:
        raise ValueError(f"speech ids must be in 0..{NUM_SPEECH_IDS - 1}")
    if FRAMES_PER_TOKEN * len(cell.tokens) > MAX_FRAMES:
        raise ValueError(f"a cell of {len(cell.tokens)} tokens is longer than {MAX_FRAMES} frames")
    if cell.noise.shape[1] != cell.num_frames:
        raise ValueError(f"{cell.noise.shape[1]} frames of noise for {cell.num_frames}")
