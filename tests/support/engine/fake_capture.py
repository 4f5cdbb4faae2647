"""A capture for machines without CUDA."""

from collections.abc import Callable

from app.engine.device.cuda_graphs import Replay


class FakeCapture:
    """As CUDA does, the step runs while it is captured and at each replay."""

    def __init__(self) -> None:
        self.num_captured = 0
        self.num_replayed = 0

    def __call__(self, step: Callable[[], None]) -> Replay:
        step()
        self.num_captured += 1

        def replay() -> None:
            self.num_replayed += 1
            step()

        return replay
