"""Work that does not fit in a device's memory is run again in smaller parts.

Only torch.OutOfMemoryError counts. Every other error passes through. Knows nothing about the work.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import torch

log = logging.getLogger(__name__)

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def run_if_it_fits(run: Callable[[], ResultT], device: torch.device) -> ResultT | None:
    """The result of `run`, which itself never returns None. None: the memory did not suffice, and
    the unused memory that torch had kept is given back to the device."""
    try:
        return run()
    except torch.OutOfMemoryError as error:
        message = str(error)  # the error itself holds tensors of the call, and so does a log record
    log.warning("a step does not fit in memory: %s", message)
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return None


def run_in_halves(
    items: Sequence[ItemT], run: Callable[[Sequence[ItemT]], ResultT], device: torch.device
) -> Iterator[tuple[Sequence[ItemT], ResultT | None]]:
    """Run all items in one call. A call that does not fit is repeated in two halves, down to single
    items. A single item is tried twice: the first try frees what torch had kept. Gives each part
    with its result, in order. The result is None for a single item that does not fit."""
    parts = [items]
    while parts:
        part = parts.pop()
        result = run_if_it_fits(partial(run, part), device)
        if result is None and len(part) > 1:
            half = len(part) // 2
            parts += [part[half:], part[:half]]
            continue
        yield part, run_if_it_fits(partial(run, part), device) if result is None else result
