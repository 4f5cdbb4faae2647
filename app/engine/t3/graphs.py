"""A decode step captured once per shape, then replayed: one launch instead of hundreds.

Capturing runs the step, and a step leaves traces (keys, values, tokens), so a shape is captured
with rows of padding alone, whose traces nobody reads. Nothing here touches CUDA unless its capture
is `CudaCapture`.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch

from app.engine.t3.decode import DecodeStep, Row, Shape

Replay = Callable[[], object]
Capture = Callable[[Callable[[], None]], Replay]


def uncaptured(step: Callable[[], None]) -> Replay:
    """The plain way: to replay is to run."""
    return step


class CudaCapture:
    """All graphs share one pool for what is theirs alone: no two run at once."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, step: Callable[[], None]) -> Replay:
        with torch.cuda.device(self._device):
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):  # libraries load and plan in their first call
                step()
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            # Another engine's thread may use the device meanwhile: only this thread's calls count.
            with torch.cuda.graph(graph, self._pool, stream, capture_error_mode="thread_local"):
                step()
        return graph.replay


class StepGraphs:
    def __init__(self, step: DecodeStep, capture: Capture) -> None:
        self._step = step
        self._capture = capture
        self._replays: dict[Shape, Replay] = {}

    def run(self, rows: Sequence[Row]) -> torch.Tensor:
        """(at least len(rows),) sampled ids on the device, until the next call."""
        shape = self._step.shape_of(rows)
        replay = self._replays.get(shape) or self._prepare(shape)
        self._step.load(rows, shape)
        replay()
        return self._step.sampled(shape)

    @torch.inference_mode()
    def warm_up(self, shapes: Iterable[Shape]) -> None:
        for shape in shapes:
            self._prepare(shape)

    def _prepare(self, shape: Shape) -> Replay:
        self._step.load([], shape)
        replay = self._replays[shape] = self._capture(partial(self._step.compute, shape))
        return replay
