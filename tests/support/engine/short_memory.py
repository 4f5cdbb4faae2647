"""A shortage of device memory that a test causes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

Fits = Callable[..., bool]  # of the arguments of the method


class Shortage:
    """A method that raises torch.OutOfMemoryError for arguments that do not fit: before it runs
    or, with `late`, after all of its work."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        owner: Any,
        name: str,
        fits: Fits,
        *,
        late: bool = False,
    ) -> None:
        self.num_refused = 0
        method = getattr(owner, name)
        counter = self

        def limited(*arguments: Any, **options: Any) -> Any:
            made = method(*arguments, **options) if late else None
            if not fits(*arguments, **options):
                counter.num_refused += 1
                raise torch.OutOfMemoryError("CUDA out of memory (of a test)")
            return made if late else method(*arguments, **options)

        monkeypatch.setattr(owner, name, limited)


class Times:
    """`num` calls, from the `start`th on, do not fit. All others do."""

    def __init__(self, num: int, start: int = 0) -> None:
        self._refused = range(start, start + num)
        self._calls = 0

    def __call__(self, *_: object, **__: object) -> bool:
        self._calls += 1
        return self._calls - 1 not in self._refused
