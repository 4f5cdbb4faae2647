"""Work of a fixed shape, captured once and then replayed: one launch instead of hundreds.

Only `CudaCapture` touches CUDA. Knows nothing about the work that is captured.
"""

from collections.abc import Callable
from itertools import takewhile

import torch
from torch import Tensor

Replay = Callable[[], object]
Capture = Callable[[Callable[[], None]], Replay]


def uncaptured(step: Callable[[], None]) -> Replay:
    """The plain way: a replay runs the step."""
    return step


class CudaCapture:
    """All graphs share one memory pool for their own tensors, because no two run at once."""

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


class Captured:
    """A function of tensors, captured once for each combination of input shapes."""

    def __init__(self, run: Callable[..., Tensor], capture: Capture) -> None:
        """`run` launches the same work for the same shapes and never reads a value back from the
        device."""
        self._run = run
        self._capture = capture
        self._by_shape: dict[tuple[torch.Size, ...], _CapturedShape] = {}

    def __call__(self, *inputs: Tensor) -> Tensor:
        shapes = tuple(tensor.shape for tensor in inputs)
        captured = self._by_shape.get(shapes)
        if captured is None:
            captured = _CapturedShape(self._run, inputs, self._capture)
            self._by_shape[shapes] = captured
        return captured(inputs)


class _CapturedShape:
    """The inputs and the output of one combination of shapes. Their addresses never change."""

    def __init__(
        self, run: Callable[..., Tensor], inputs: tuple[Tensor, ...], capture: Capture
    ) -> None:
        self._inputs = tuple(tensor.clone() for tensor in inputs)
        self._run = run
        self._replay = capture(self._step)

    def __call__(self, inputs: tuple[Tensor, ...]) -> Tensor:
        for own, given in zip(self._inputs, inputs, strict=True):
            own.copy_(given)
        self._replay()
        return self._output.clone()

    def _step(self) -> None:
        self._output = self._run(*self._inputs)


def powers_of_two(largest: int) -> tuple[int, ...]:
    """1, 2, 4, 8, ... and `largest`: sizes of batches, each padded to the next."""
    doubled = (1 << power for power in range(largest.bit_length()))
    return (*takewhile(lambda size: size < largest, doubled), largest)
