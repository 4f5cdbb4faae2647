"""Speech tokens to mel: our own inference over upstream's flow modules, several cells in one call.

Unlike upstream's `CausalMaskedDiffWithXvec.inference` it takes its noise as an input, casts no
token, prints nothing, writes to no module, never reads a value back from the device, and cuts the
look-ahead before the solver (upstream's finalize=False raises). Cells of any lengths may share a
call. `Flow` computes the whole context of a cell in every call; chunked.py caches it. Knows nothing
about streams.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.core import FRAMES_PER_TOKEN, NUM_MELS, NUM_SPEECH_IDS
from app.engine.device.cuda_graphs import Capture, Captured, powers_of_two
from app.engine.device.transfer import upload
from app.engine.s3gen.call_stage import CallStage, OnStage, ignore_stage
from app.engine.s3gen.encoder import Encoder
from app.engine.s3gen.estimator import Estimator
from app.engine.s3gen.layer_cache import EmptyCache
from app.engine.upstream.vocoder_modules import CausalMaskedDiffWithXvec

MAX_FRAMES = 5000  # of prompt, context and new sound in one call: 100 s
FRAME_BUCKET = 32  # frames of a captured call are a multiple of this: at most 0.6 s of padding


@dataclass(frozen=True, slots=True)
class FlowCell:
    """One row of a call. Its frames are prompt, context and new, in this order. The frames of the
    look-ahead are in the encoder alone."""

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
    """The parts of upstream's flow that `Flow` and `ChunkedFlow` share."""

    def __init__(
        self, flow: CausalMaskedDiffWithXvec, num_steps: int, *, in_int8: bool = False
    ) -> None:
        """`num_steps`: Euler steps. `in_int8`: the weights of the attentions and feed-forwards, on
        a CPU; those of `flow` are dropped then."""
        self.device = flow.encoder_proj.weight.device
        self._flow = flow
        self.encoder = Encoder(flow.encoder, MAX_FRAMES, in_int8=in_int8)
        self.estimator = Estimator(
            flow.decoder.estimator,
            num_steps,
            cfg_rate=flow.decoder.inference_cfg_rate,
            is_cosine=flow.decoder.t_scheduler == "cosine",
            in_int8=in_int8,
        )
        if in_int8:
            _leave_the_file(flow)

    def project_speaker(self, speaker_emb: Tensor) -> Tensor:
        """x-vector (192,) of any length -> (80,)"""
        unit = F.normalize(speaker_emb.to(self.device), dim=0)
        projected: Tensor = self._flow.spk_embed_affine_layer(unit)
        return projected

    def embed(self, tokens: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """(rows, longest, dim), and (rows, longest) that is true where a row has a token."""
        longest = max(map(len, tokens))
        padded = [row + (0,) * (longest - len(row)) for row in tokens]
        ids = upload(padded, torch.int64, self.device)
        present = self.present([len(row) for row in tokens], longest)
        return self._flow.input_embedding(ids) * present[:, :, None], present

    def present(self, lengths: Sequence[int], longest: int) -> Tensor:
        """(rows, longest): true up to each row's length."""
        index = torch.arange(longest, device=self.device)
        return index < upload(lengths, torch.int64, self.device)[:, None]

    def mean(self, encoded: Tensor) -> Tensor:
        """(rows, frames, dim) -> (rows, 80, frames)"""
        projected: Tensor = self._flow.encoder_proj(encoded)
        return projected.mT

    def padded(self, parts: Sequence[Tensor], num_frames: int) -> Tensor:
        """Per row (80, at most num_frames) -> (rows, 80, num_frames), padded with zeros."""
        whole = torch.zeros(len(parts), NUM_MELS, num_frames, device=self.device)
        for row, part in zip(whole, parts, strict=True):
            row[:, : part.shape[1]] = part
        return whole


def _leave_the_file(module: nn.Module) -> None:
    """Copy the tensors that are left: all pages of a file that were read stay in memory as long as
    one tensor is in them."""
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = tensor.data.clone()


class Flow:
    """Every call computes the whole context of each cell. A guided model runs two rows per cell, a
    mean-flow model one.

    With a capture, the solver is replayed per shape instead of launched layer by layer: the plain
    path plus this one idea. Rows and frames are padded to a few sizes, so that shapes come again.
    """

    def __init__(self, net: FlowNet, capture: Capture | None = None, max_rows: int = 1) -> None:
        """max_rows: most cells in a captured call."""
        self._net = net
        self._captured = None if capture is None else Captured(self._solve, capture)
        self._row_buckets = powers_of_two(max_rows)

    @torch.inference_mode()
    def warm_up(self, max_frames: int) -> None:
        """Capture every shape of cells up to this length, before the first session."""
        if self._captured is None:
            return
        device = self._net.device
        for frames in range(FRAME_BUCKET, max_frames + FRAME_BUCKET, FRAME_BUCKET):
            for rows in self._row_buckets:
                mel = torch.zeros(rows, NUM_MELS, frames, device=device)
                present = torch.ones(rows, frames, dtype=torch.bool, device=device)
                self._captured(mel, mel[:, :, 0], mel, mel, present)

    def mels(self, cells: Sequence[FlowCell], on_stage: OnStage = ignore_stage) -> list[Tensor]:
        """(80, new frames) per cell. Raises ValueError on input that the modules cannot take, and
        what `on_stage` raises. A captured call is one launch, without stages."""
        for cell in cells:
            _check(cell)
        mel = self._solve_all(cells, on_stage) if self._captured is None else self._replay(cells)
        return [
            mel[row, :, cell.num_frames - cell.num_new_frames : cell.num_frames]
            for row, cell in enumerate(cells)
        ]

    def _solve_all(self, cells: Sequence[FlowCell], on_stage: OnStage) -> Tensor:
        num_frames = [cell.num_frames for cell in cells]
        longest = max(num_frames)
        is_ragged = min(num_frames) < longest
        present = self._net.present(num_frames, longest) if is_ragged else None
        mu = self._encode(cells)[:, :, :longest]
        noise, speaker, cond = self._inputs(cells, longest)
        cache_of = self._cache_of(present, on_stage)
        return self._net.estimator.solve(noise, mu, speaker, cond, cache_of)

    def _replay(self, cells: Sequence[FlowCell]) -> Tensor:
        """In the smallest captured shape that holds the cells. The padding is dropped."""
        assert self._captured is not None
        num_frames = [cell.num_frames for cell in cells]
        longest = FRAME_BUCKET * -(-max(num_frames) // FRAME_BUCKET)
        num_rows = next(rows for rows in self._row_buckets if rows >= len(cells))
        present = self._net.present(num_frames + [longest] * (num_rows - len(cells)), longest)
        noise, speaker, cond = self._inputs(cells, longest)
        mu = self._encode(cells)[:, :, : max(num_frames)]
        more_rows, more_frames = num_rows - len(cells), longest - mu.shape[2]
        return self._captured(
            F.pad(noise, (0, 0, 0, 0, 0, more_rows)),
            F.pad(speaker, (0, 0, 0, more_rows)),
            F.pad(cond, (0, 0, 0, 0, 0, more_rows)),
            F.pad(mu, (0, more_frames, 0, 0, 0, more_rows)),
            present,
        )

    def _inputs(self, cells: Sequence[FlowCell], longest: int) -> tuple[Tensor, Tensor, Tensor]:
        """Noise (rows, 80, longest), speaker (rows, 80) and condition (rows, 80, longest)."""
        net = self._net
        noise = net.padded([cell.noise for cell in cells], longest)
        cond = net.padded([cell.prompt_mel.T for cell in cells], longest)
        return noise, torch.stack([cell.speaker for cell in cells]), cond

    def _solve(
        self, noise: Tensor, speaker: Tensor, cond: Tensor, mu: Tensor, present: Tensor
    ) -> Tensor:
        cache_of = self._cache_of(present, ignore_stage)
        return self._net.estimator.solve(noise, mu, speaker, cond, cache_of)

    def _cache_of(self, present: Tensor | None, on_stage: OnStage) -> Callable[[int], EmptyCache]:
        if present is not None and self._net.estimator.is_guided:
            present = torch.cat([present, present])

        def cache_of(_: int) -> EmptyCache:
            on_stage(CallStage.FLOW)
            return EmptyCache(present)

        return cache_of

    def _encode(self, cells: Sequence[FlowCell]) -> Tensor:
        """(rows, 80, longest), undefined behind each row's last frame."""
        net = self._net
        embedded, present = net.embed([cell.tokens for cell in cells])
        num_tokens = embedded.shape[1]
        is_ragged = len({len(cell.tokens) for cell in cells}) > 1
        hidden = net.encoder.tokens(
            embedded, present, num_tokens, EmptyCache(present if is_ragged else None)
        )
        frames = present.repeat_interleave(FRAMES_PER_TOKEN, 1)
        return net.mean(net.encoder.frames(hidden, EmptyCache(frames if is_ragged else None)))


def _check(cell: FlowCell) -> None:
    check_tokens(cell.tokens)
    if FRAMES_PER_TOKEN * len(cell.tokens) > MAX_FRAMES:
        raise ValueError(f"a cell of {len(cell.tokens)} tokens is longer than {MAX_FRAMES} frames")
    if cell.noise.shape[1] != cell.num_frames:
        raise ValueError(f"{cell.noise.shape[1]} frames of noise for {cell.num_frames}")


def check_tokens(tokens: Sequence[int]) -> None:
    """Raises ValueError. A larger id would be an out-of-range lookup, which is fatal on a GPU."""
    if not tokens:
        raise ValueError("a cell needs at least one token")
    if min(tokens) < 0 or max(tokens) >= NUM_SPEECH_IDS:
        raise ValueError(f"speech ids must be in 0..{NUM_SPEECH_IDS - 1}")
