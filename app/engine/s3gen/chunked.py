"""The flow with chunk masks: a cell sees its voice, a bounded past and itself, and no frame is
computed twice.

An utterance is cut into chunks: the voice's prompt without its last tokens, then the cells. The
first cell begins with those last tokens, because the convolution at the prompt's end looks ahead
into the text. A frame attends to its own chunk, the last `left_tokens` before it, and the prompt.
`FlowState` keeps what earlier chunks left: keys and values of every attention at every Euler step,
and the last inputs of each convolution. A voice's part is computed once and shared. Only the
convolution looks ahead; the attention never does.

Equal, to rounding, to upstream's own modules under that chunk mask, until the bound is reached.
Beyond it the prompt stays next to the frames that are still seen, so that distances and cost stay
bounded. Chatterbox was not trained with chunk masks: their effect on the sound of the published
weights is unknown. A guided model's second pass, without text and voice, has keys of its own: with
10 steps of two passes a voice of 3 s holds 690 MB, where mean-flow's two steps hold 70. Knows
nothing about streams or scheduling.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.core import FRAMES_PER_TOKEN, LOOK_AHEAD_TOKENS
from app.engine.s3gen.call_stage import CallStage, OnStage, ignore_stage
from app.engine.s3gen.flow import FlowNet, check_tokens
from app.engine.s3gen.layer_cache import CachedRow, FilledCache


@dataclass(frozen=True, slots=True)
class FlowState:
    """What a voice, or a segment so far, left in each network."""

    tokens: CachedRow
    frames: CachedRow
    steps: tuple[tuple[CachedRow, ...], ...]  # of the estimator: per Euler step, per pass

    @property
    def num_bytes(self) -> int:
        rows = (row for step in self.steps for row in step)
        return sum(row.num_bytes for row in (self.tokens, self.frames, *rows))


@dataclass(frozen=True, slots=True)
class ChunkCell:
    """One row of a call."""

    tokens: tuple[int, ...]  # the cell's own, then its look-ahead
    num_tokens: int  # its own
    known_mel: Tensor  # (frames, 80): the prompt's, for the first frames of the cell
    speaker: Tensor  # (80,)
    noise: Tensor  # (80, its frames)
    num_new_frames: int  # the last of its frames, which become sound
    voice: FlowState
    segment: FlowState | None  # None: this is the segment's first cell

    @property
    def states(self) -> list[FlowState]:
        return [self.voice] if self.segment is None else [self.voice, self.segment]


class ChunkedFlow:
    def __init__(self, net: FlowNet, left_tokens: int) -> None:
        self._net = net
        self._left_tokens = left_tokens

    @property
    def segment_bytes(self) -> int:
        """The size of a segment's state once its bound is reached."""
        return self._bytes(self._left_tokens)

    def voice_bytes(self, num_prompt_tokens: int) -> int:
        return self._bytes(max(0, num_prompt_tokens - LOOK_AHEAD_TOKENS))

    def _bytes(self, num_tokens: int) -> int:
        encoder, estimator = self._net.encoder, self._net.estimator
        (lower, heads, dim), (upper, _, _) = encoder.shapes
        blocks, block_heads, block_dim = estimator.shape
        keys = 2 * num_tokens * heads * dim * (lower + FRAMES_PER_TOKEN * upper)
        steps = 2 * num_tokens * FRAMES_PER_TOKEN * blocks * block_heads * block_dim
        num_passes = estimator.num_steps * estimator.num_passes
        tails = sum(encoder.num_tail_values) + num_passes * estimator.num_tail_values
        return 4 * (keys + num_passes * steps + tails)

    def voice(
        self, tokens: tuple[int, ...], mel: Tensor, speaker: Tensor, noise: Tensor
    ) -> FlowState:
        """What a voice's prompt leaves, without its last LOOK_AHEAD_TOKENS. tokens: of the whole
        prompt. mel: (frames, 80) and noise: (80, frames) of the whole prompt."""
        empty = self._empty()
        num_tokens = max(0, len(tokens) - LOOK_AHEAD_TOKENS)
        if not num_tokens:
            return empty
        num_frames = FRAMES_PER_TOKEN * num_tokens
        cell = ChunkCell(
            tokens,
            num_tokens,
            mel[:num_frames],
            speaker,
            noise[:, :num_frames],
            0,
            voice=empty,
            segment=None,
        )
        ((_, state),) = self._run([cell], num_tokens, ignore_stage)
        return state

    def mels(
        self, cells: Sequence[ChunkCell], on_stage: OnStage = ignore_stage
    ) -> list[tuple[Tensor, FlowState]]:
        """(80, new frames) per cell, and its segment's next state. Raises ValueError on input that
        the modules cannot take, and what `on_stage` raises."""
        return self._run(cells, self._left_tokens, on_stage)

    def _run(
        self, cells: Sequence[ChunkCell], max_tokens: int, on_stage: OnStage
    ) -> list[tuple[Tensor, FlowState]]:
        """`max_tokens`: of a segment, in the next state."""
        for cell in cells:
            check_tokens(cell.tokens)
        mu, tokens, frames = self._encode(cells, max_tokens)
        frame_counts, max_frames = _frame_counts(cells), FRAMES_PER_TOKEN * max_tokens
        passes = range(self._net.estimator.num_passes)
        caches = [
            FilledCache(
                [[s.steps[step][index] for s in cell.states] for index in passes for cell in cells],
                frame_counts * len(passes),
                max_frames,
            )
            for step in range(self._net.estimator.num_steps)
        ]

        def cache_of(step: int) -> FilledCache:
            on_stage(CallStage.FLOW)
            return caches[step]

        mel = self._net.estimator.solve(
            self._net.padded([cell.noise for cell in cells], mu.shape[2]),
            mu,
            torch.stack([cell.speaker for cell in cells]),
            self._net.padded([cell.known_mel.T for cell in cells], mu.shape[2]),
            cache_of,
        )
        steps = [cache.new_rows() for cache in caches]
        return [
            (
                mel[row, :, end - cell.num_new_frames : end],
                FlowState(
                    tokens[row],
                    frames[row],
                    tuple(tuple(step[row :: len(cells)]) for step in steps),
                ),
            )
            for row, (cell, end) in enumerate(zip(cells, frame_counts, strict=True))
        ]

    def _encode(
        self, cells: Sequence[ChunkCell], max_tokens: int
    ) -> tuple[Tensor, list[CachedRow], list[CachedRow]]:
        """(rows, 80, frames) of the longest cell, and the next rows of `tokens` and `frames`."""
        net, num_tokens = self._net, [cell.num_tokens for cell in cells]
        embedded, present = net.embed([cell.tokens for cell in cells])
        lower = FilledCache(
            [[state.tokens for state in cell.states] for cell in cells], num_tokens, max_tokens
        )
        hidden = net.encoder.tokens(embedded, present, max(num_tokens), lower)
        upper = FilledCache(
            [[state.frames for state in cell.states] for cell in cells],
            _frame_counts(cells),
            FRAMES_PER_TOKEN * max_tokens,
        )
        mu = net.mean(net.encoder.frames(hidden, upper))
        return mu, lower.new_rows(), upper.new_rows()

    def _empty(self) -> FlowState:
        encoder, estimator = self._net.encoder, self._net.estimator
        like = torch.zeros(0, device=self._net.device)
        tokens, frames = (
            CachedRow.empty(shape, num_values, like)
            for shape, num_values in zip(encoder.shapes, encoder.num_tail_values, strict=True)
        )
        step = CachedRow.empty(estimator.shape, estimator.num_tail_values, like)
        passes = (step,) * estimator.num_passes
        return FlowState(tokens, frames, (passes,) * estimator.num_steps)


def _frame_counts(cells: Sequence[ChunkCell]) -> list[int]:
    return [FRAMES_PER_TOKEN * cell.num_tokens for cell in cells]
