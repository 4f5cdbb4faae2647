"""One part of a model before it has weights: how it is built, and what its file need not hold."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn


def _nothing(module: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Blueprint:
    """`build` makes upstream's own class on the ambient device (so `with torch.device("meta")`
    costs no memory), in eval mode, with upstream's keys and shapes."""

    build: Callable[[], nn.Module]
    unread: tuple[str, ...] = ()  # its submodules that are neither loaded nor required
    optional: frozenset[str] = frozenset()  # buffers that a file may leave out: `derive` makes them
    # What upstream's constructor computes and no file holds, after all else is loaded:
    derive: Callable[[nn.Module, torch.device, torch.dtype], None] = _nothing


def without_unread(blueprint: Blueprint, module: nn.Module) -> nn.Module:
    """The module that `blueprint` built, less what is never read."""
    for name in blueprint.unread:
        parent, _, own_name = name.rpartition(".")
        delattr(module.get_submodule(parent), own_name)
    return module
