"""A decode step captured once per usual shape, then replayed.

A capture runs the step, and a step writes keys, values and tokens. So a shape is captured with rows
of padding alone: nothing reads the keys, values and tokens of padding. A capture takes as long as
many steps, so none is made while sequences run: an unusual shape (another `top_p` or `top_k` than
the model's, a long context) is launched kernel by kernel.
"""

from collections.abc import Iterable, Sequence
from functools import partial

import torch

from app.engine.device.cuda_graphs import Capture, Replay
from app.engine.t3.decode import DecodeStep, Row, Shape


class StepGraphs:
    def __init__(self, step: DecodeStep, capture: Capture) -> None:
        self._step = step
        self._capture = capture
        self._replays: dict[Shape, Replay] = {}

    def run(self, rows: Sequence[Row]) -> torch.Tensor:
        """(len(rows) or more, 2) tokens and text ids on the device, valid until the next call."""
        shape = self._step.shape_of(rows)
        replay = self._replays.get(shape)
        if replay is None:
            return self.run_uncaptured(rows)
        self._step.load(rows, shape)
        replay()
        return self._step.drawn(shape)

    def run_uncaptured(self, rows: Sequence[Row]) -> torch.Tensor:
        """As `run`, without the memory that a graph needs."""
        shape = self._step.shape_of(rows)
        self._step.load(rows, shape)
        self._step.compute(shape)
        return self._step.drawn(shape)

    @torch.inference_mode()
    def warm_up(self, shapes: Iterable[Shape]) -> None:
        for shape in shapes:
            self._step.load([], shape)
            self._replays[shape] = self._capture(partial(self._step.compute, shape))
