"""A component before it has weights: how it is built, and what its file may leave out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

_DRAWING = ("normal_", "uniform_", "kaiming_uniform_")  # a tensor's, torch's and transformers' own


def _nothing(module: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Blueprint:
    """`build` makes upstream's own class in eval mode, with upstream's keys and shapes. Its weights
    are random; within `Undrawn` they are not initialised."""

    build: Callable[[], nn.Module]
    unread: tuple[str, ...] = ()  # submodules that are neither loaded nor required
    optional: frozenset[str] = frozenset()  # buffers that a file may leave out; `derive` makes them
    # Makes what upstream's constructor computes and no file holds, after all else is loaded:
    derive: Callable[[nn.Module, torch.device, torch.dtype], None] = _nothing


class Undrawn(TorchFunctionMode):
    """Modules that are built within are not initialised: the memory of their weights is never
    touched. As cheap as the meta device, where torch imports its compiler, 6 s (2026-11)."""

    def __torch_function__(
        self,
        func: Any,
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if func.__name__ in _DRAWING:
            return args[0] if args else named["tensor"]
        return func(*args, **named)


def without_unread(blueprint: Blueprint, module: nn.Module) -> nn.Module:
    """The module that `blueprint` built, without its unread submodules."""
    for name in blueprint.unread:
        parent, _, own_name = name.rpartition(".")
        delattr(module.get_submodule(parent), own_name)
    return module
