"""Speech tokens to mel: our own inference over upstream's flow modules, several cells in one call.

Differs from upstream's `CausalMaskedDiffWithXvec.inference` in what it does not do: it draws no
noise (an input), casts no token, prints nothing, writes to no module, asks the device nothing, and
cuts the look-ahead before the solver (upstream's finalize=False raises). Cells of any lengths may
share a call. `Flow` sees a cell's whole context in every call; `chunked.py` remembers it instead.
Knows nothing about streams.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
from torch import Tensor

from app.core import FRAMES_PER_TOKEN, NUM_SPEECH_IDS
from app.engine.s3gen.encoder import Encoder
from app.engine.s3gen.estimator import Estimator
from app.engine.s3gen.past import Beginning

MAX_FRAMES = 5000  # of prompt, context and new sound in one call: 100 s
NUM_MELS = 80


@dataclass(frozen=True, slots=True)
class FlowCell:
    """One row of a call. Frames are prompt, context, new, in this order; the look-ahead's frames
    end with the encoder."""

    tokens: tuple[int, ...]  # prompt, context, new, look-ahead
    prompt_mel: Tensor  # (prompt frames, 80)
    speaker: Tensor  # (80,), see `FlowNet.project_speaker`
    noise: Tensor  # (80, frames)
    num_ahead_frames: int
    num_new_frames: int

    @property
    def num_frames(self) -> int:
        return FRAMES_PER_TOKEN * len(self.tokens) - self.num_ahead_frames


class FlowNet:
    """The parts of upstream's flow as both ways of context use them."""

    def __init__(self, flow: CausalMaskedDiffWithXvec, num_steps: int) -> None:
        """`num_steps` of Euler."""
        self.device = flow.encoder_proj.weight.device
        self._flow = flow
        self.encoder = Encoder(flow.encoder, MAX_FRAMES)
        self.estimator = Estimator(
            flow.decoder.estimator,
            num_steps,
            cfg_rate=flow.decoder.inference_cfg_rate,
            is_cosine=flow.decoder.t_scheduler == "cosine",
        )

    def project_speaker(self, speaker_emb: Tensor) -> Tensor:
        """(192,) x-vector, any length -> (80,)."""
        unit = F.normalize(speaker_emb.to(self.device), dim=0)
        projected: Tensor = self._flow.spk_embed_affine_layer(unit)
        return projected

    def embed(self, tokens: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """(rows, longest, dim), and (rows, longest) true where a row has a token."""
        longest = max(map(len, tokens))
        padded = [row + (0,) * (longest - len(row)) for row in tokens]
        ids = torch.tensor(padded, dtype=torch.int64, device=self.device)
        present = self.present([len(row) for row in tokens], longest)
        return self._flow.input_embedding(ids) * present[:, :, None], present

    def present(self, lengths: Sequence[int], longest: int) -> Tensor:
        """(rows, longest): true where a row has something."""
        index = torch.arange(longest, device=self.device)
        return index < torch.tensor(lengths, device=self.device)[:, None]

    def mean(self, encoded: Tensor) -> Tensor:
        """(rows, frames, dim) -> (rows, 80, frames)"""
        projected: Tensor = self._flow.encoder_proj(encoded)
        return projected.mT

    def padded(self, parts: Sequence[Tensor], num_frames: int) -> Tensor:
        """(80, at most num_frames) per row -> (rows, 80, num_frames), zeros behind."""
        whole = torch.zeros(len(parts), NUM_MELS, num_frames, device=self.device)
        for row, part in zip(whole, parts, strict=True):
            row[:, : part.shape[1]] = part
        return whole


class Flow:
    """Every cell with all of its context. Mean-flow models run one row per cell, others a guided
    pair."""

    def __init__(self, net: FlowNet) -> None:
        self._net = net

    def mels(self, cells: Sequence[FlowCell]) -> list[Tensor]:
        """(80, new frames) per cell. Raises ValueError on what the modules cannot take."""
        for cell in cells:
            _check(cell)
        net, estimator = self._net, self._net.estimator
        num_frames = [cell.num_frames for cell in cells]
        longest = max(num_frames)
        heard = None if min(num_frames) == longest else net.present(num_frames, longest)
        if heard is not None and estimator.is_guided:
            heard = torch.cat([heard, heard])
        mel = estimator.solve(
            net.padded([cell.noise for cell in cells], longest),
            self._encode(cells)[:, :, :longest],
            torch.stack([cell.speaker for cell in cells]),
            net.padded([cell.prompt_mel.T for cell in cells], longest),
            lambda _: Beginning(heard),
        )
        return [
            mel[row, :, cell.num_frames - cell.num_new_frames : cell.num_frames]
            for row, cell in enumerate(cells)
        ]

    def _encode(self, cells: Sequence[FlowCell]) -> Tensor:
        """(rows, 80, longest), undefined past each row's frames."""
        net = self._net
        embedded, present = net.embed([cell.tokens for cell in cells])
        num_tokens = embedded.shape[1]
        is_ragged = len({len(cell.tokens) for cell in cells}) > 1
        hidden = net.encoder.tokens(
            embedded, present, num_tokens, Beginning(present if is_ragged else None)
        )
        frames = present.repeat_interleave(FRAMES_PER_TOKEN, 1)
        return net.mean(net.encoder.frames(hidden, Beginning(frames if is_ragged else None)))


def _check(cell: FlowCell) -> None:
    check_tokens(cell.tokens)
    if FRAMES_PER_TOKEN * len(cell.tokens) > MAX_FRAMES:
        raise ValueError(f"a cell of {len(cell.tokens)} tokens is longer than {MAX_FRAMES} frames")
    if cell.noise.shape[1] != cell.num_frames:
        raise ValueError(f"{cell.noise.shape[1]} frames of noise for {cell.num_frames}")


def check_tokens(tokens: Sequence[int]) -> None:
    """Raises ValueError: a larger id would be an out-of-range lookup, fatal on a GPU."""
    if not tokens:
        raise ValueError("a cell needs at least one token")
    if min(tokens) < 0 or max(tokens) >= NUM_SPEECH_IDS:
        raise ValueError(f"speech ids must be in 0..{NUM_SPEECH_IDS - 1}")
