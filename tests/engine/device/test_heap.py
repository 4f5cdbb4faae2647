"""Freed memory goes back to the system."""

import psutil
import torch

from app.engine.device import heap

PARTS, PART_VALUES = (
    2000,
    16_000,
)  # 64 kB each: such a part is in the heap, not a mapping of its own


def test_memory_that_was_freed_in_the_middle_of_the_heap_goes_back():
    process = psutil.Process()
    parts = [torch.ones(PART_VALUES) for _ in range(PARTS)]
    kept = parts[-1]  # the end of the heap stays in use, so the C library gives nothing back
    parts.clear()
    before = process.memory_info().rss
    heap.trim()
    assert before - process.memory_info().rss > 0.8 * (PARTS - 1) * kept.nbytes
