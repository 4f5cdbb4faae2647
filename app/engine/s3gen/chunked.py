"""The flow with chunk masks: a cell hears its voice, a bounded past and itself, and no frame is
computed twice.

The utterance is cut into chunks: the voice's prompt but for its last tokens, then the cells, the
first of which begins with those tokens (the convolution at the prompt's end looks ahead into what
is said). A frame hears its own chunk whole, the last `left_tokens` before it, and the prompt. What
earlier chunks left (`FlowState`) is kept instead of computed again: keys and values of every
attention at every Euler step, and the ends of what the convolutions saw. A voice's part is computed
once and shared. Looking ahead is left to the convolution; the attention never hears the future.

Equal, to rounding, to upstream's own modules under that chunk mask, as long as the bound is not
reached; past it the prompt stays next to what is still heard, so that distances, and the cost,
stay bounded. Chatterbox was not trained with chunk masks: what they do to the published weights'
sound is not known. A guided model's second pass, without text and voice, has a past of its own:
with 10 steps of two passes a voice of 3 s holds 690 MB, where mean-flow's two hold 70. Knows
nothing about streams or scheduling.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.core import FRAMES_PER_TOKEN
from app.engine.s3gen.flow import FlowNet, GoOn, always, check_tokens
from app.engine.s3gen.grid import LOOK_AHEAD_TOKENS
from app.engine.s3gen.layer_cache import CachedRow, FilledCache


@dataclass(frozen=True, slots=True)
class FlowState:
    """What a voice, or a segment so far, left behind in each network."""

    tokens: CachedRow
    frames: CachedRow
    steps: tuple[tuple[CachedRow, ...], ...]  # of the estimator: per Euler step, per pass

    @property
    def num_bytes(self) -> int:
        passes = (one for step in self.steps for one in step)
        return sum(part.num_bytes for part in (self.tokens, self.frames, *passes))


@dataclass(frozen=True, slots=True)
class ChunkCell:
    """One row of a call."""

    tokens: tuple[int, ...]  # the cell's own, then its look-ahead
    num_tokens: int  # its own
    known_mel: Tensor  # (frames, 80): the prompt's, of the first of them
    speaker: Tensor  # (80,)
    noise: Tensor  # (80, its frames)
    num_new_frames: int  # the last of its frames, which are heard
    voice: FlowState
    segment: FlowState | None  # None: it begins


class ChunkedFlow:
    def __init__(self, net: FlowNet, left_tokens: int) -> None:
        self._net = net
        self._left_tokens = left_tokens

    @property
    def segment_bytes(self) -> int:
        """What a segment's state comes to hold."""
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
        """What a voice's prompt leaves, but for its last LOOK_AHEAD_TOKENS. tokens: all of the
        prompt's; mel: (frames, 80) and noise: (80, frames) of them."""
        nothing = self._nothing()
        num_tokens = max(0, len(tokens) - LOOK_AHEAD_TOKENS)
        if not num_tokens:
            return nothing
        num_frames = FRAMES_PER_TOKEN * num_tokens
        cell = ChunkCell(
            tokens,
            num_tokens,
            mel[:num_frames],
            speaker,
            noise[:, :num_frames],
            0,
            voice=nothing,
            segment=None,
        )
        return self._run([cell], most_tokens=num_tokens)[0][1]

    def mels(
        self, cells: Sequence[ChunkCell], go_on: GoOn = always
    ) -> list[tuple[Tensor, FlowState]]:
        """(80, new frames) per cell, and its segment's next state. Raises ValueError on what the
        modules cannot take, and what `go_on` does."""
        return self._run(cells, self._left_tokens, go_on)

    def _run(
        self, cells: Sequence[ChunkCell], most_tokens: int, go_on: GoOn = always
    ) -> list[tuple[Tensor, FlowState]]:
        for cell in cells:
            check_tokens(cell.tokens)
        pasts = [_pasts(cell) for cell in cells]
        mu, tokens, frames = self._encode(cells, pasts, most_tokens)
        frame_counts, most_frames = _frames(cells), FRAMES_PER_TOKEN * most_tokens
        passes = range(self._net.estimator.num_passes)
        carried = [
            FilledCache(
                [[part.steps[step][index] for part in row] for index in passes for row in pasts],
                frame_counts * len(passes),
                most_frames,
            )
            for step in range(self._net.estimator.num_steps)
        ]

        def past(step: int) -> FilledCache:
            go_on()
            return carried[step]

        mel = self._net.estimator.solve(
            self._net.padded([cell.noise for cell in cells], mu.shape[2]),
            mu,
            torch.stack([cell.speaker for cell in cells]),
            self._net.padded([cell.known_mel.T for cell in cells], mu.shape[2]),
            past,
        )
        steps = [past.left() for past in carried]
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
        self, cells: Sequence[ChunkCell], pasts: Sequence[Sequence[FlowState]], most_tokens: int
    ) -> tuple[Tensor, list[CachedRow], list[CachedRow]]:
        """(rows, 80, frames) of the longest cell, and what is left."""
        net, num_tokens = self._net, [cell.num_tokens for cell in cells]
        embedded, present = net.embed([cell.tokens for cell in cells])
        lower = FilledCache(
            [[part.tokens for part in row] for row in pasts], num_tokens, most_tokens
        )
        hidden = net.encoder.tokens(embedded, present, max(num_tokens), lower)
        most_frames = FRAMES_PER_TOKEN * most_tokens
        upper = FilledCache(
            [[part.frames for part in row] for row in pasts], _frames(cells), most_frames
        )
        mu = net.mean(net.encoder.frames(hidden, upper))
        return mu, lower.left(), upper.left()

    def _nothing(self) -> FlowState:
        encoder, estimator = self._net.encoder, self._net.estimator
        like = torch.zeros(0, device=self._net.device)
        parts = [
            CachedRow.nothing(shape, num_values, like)
            for shape, num_values in zip(encoder.shapes, encoder.num_tail_values, strict=True)
        ]
        step = CachedRow.nothing(estimator.shape, estimator.num_tail_values, like)
        passes = (step,) * estimator.num_passes
        return FlowState(parts[0], parts[1], (passes,) * estimator.num_steps)


def _pasts(cell: ChunkCell) -> list[FlowState]:
    return [cell.voice] if cell.segment is None else [cell.voice, cell.segment]


def _frames(cells: Sequence[ChunkCell]) -> list[int]:
    return [FRAMES_PER_TOKEN * cell.num_tokens for cell in cells]
