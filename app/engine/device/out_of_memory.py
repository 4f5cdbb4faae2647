"""Work that a device's memory does not suffice for, again in smaller parts.

Only torch.OutOfMemoryError is a shortage. Knows nothing about what is run.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import torch

log = logging.getLogger(__name__)

ItemT = TypeVar("ItemT")
MadeT = TypeVar("MadeT")


def fitted(run: Callable[[], MadeT], device: torch.device) -> MadeT | None:
    """What `run` returns, never None; or None where memory did not suffice, with all that torch
    had kept for later given back to the device."""
    try:
        return run()
    except torch.OutOfMemoryError as shortage:
        told = str(shortage)  # the fault itself holds what the call had made, as a record would
    log.warning("a step does not fit in memory: %s", told)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return None


def in_parts(
    items: Sequence[ItemT], run: Callable[[Sequence[ItemT]], MadeT], device: torch.device
) -> Iterator[tuple[Sequence[ItemT], MadeT | None]]:
    """All items in one call; where that does not fit, in halves, down to one, which is tried twice:
    what torch had kept is free then. Each part, in order, with what was made of it; None is a
    single item that does not fit."""
    parts = [items]
    while parts:
        part = parts.pop()
        made = fitted(partial(run, part), device)
        if made is None and len(part) > 1:
            half = len(part) // 2
            parts += [part[half:], part[:half]]
            continue
        yield part, fitted(partial(run, part), device) if made is None else made
