"""What an engine has done since it began, for whoever publishes it.

Numbers that only grow, and samples that wait until they are taken. Written by the engine's thread,
once a step; read by any thread at any time. Knows nothing about who reads.
"""

from collections import deque
from dataclasses import dataclass, field

SAMPLES_KEPT = 4096  # until they are taken; beyond it the oldest are lost


class Samples:
    """Appended by one thread, taken by another; a deque needs no lock for that."""

    def __init__(self) -> None:
        self._waiting: deque[float] = deque(maxlen=SAMPLES_KEPT)
        self.append = self._waiting.append

    def take(self) -> list[float]:
        """Those since the last call, in order."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]


@dataclass(slots=True)
class TokenCounts:
    """Of T3."""

    step_ms: Samples = field(default_factory=Samples)
    num_rows: int = 0  # over all steps
    num_tokens: int = 0  # sampled, of sequences that go on or ended by themselves
    num_prefix_hits: int = 0  # prompts that began with a prefix that was there or on its way
    num_prefix_misses: int = 0
    num_pages_used: int = 0  # now, and of how many
    num_pages: int = 0


@dataclass(slots=True)
class CellCounts:
    """Of the vocoder."""

    step_ms: Samples = field(default_factory=Samples)
    late_ms: Samples = field(default_factory=Samples)  # a cell but a session's first; 0: in time
    num_rows: int = 0  # cells, over all steps
    num_tokens: int = 0  # voiced
    num_marked: int = 0  # cells whose sound left, with its watermark
