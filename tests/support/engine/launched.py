"""Finds, without a GPU, work that a CUDA graph cannot hold: all but kernels on one device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

META = torch.device("meta")


@contextmanager
def only_kernels() -> Iterator[None]:
    """For work on the meta device, which refuses to give a value to the host. This refuses the
    other half, copies from the host."""
    with torch.inference_mode(), _NoScalarsByIndex(), _OneDevice():
        yield


class _OneDevice(TorchDispatchMode):
    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for value in tree_leaves((args, kwargs, result)):
            if isinstance(value, torch.Tensor) and value.device != META:
                raise AssertionError(f"{function} takes or makes a tensor on the host")
        return result


class _NoScalarsByIndex(TorchFunctionMode):
    """`tensor[index] = True` creates a tensor of the scalar on the host, but on CUDA alone."""

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if function is torch.Tensor.__setitem__:
            _, index, value = args
            by_tensor = any(isinstance(one, torch.Tensor) for one in tree_leaves(index))
            if by_tensor and not isinstance(value, torch.Tensor):
                raise AssertionError("a scalar is copied from the host")
        return function(*args, **(kwargs or {}))
