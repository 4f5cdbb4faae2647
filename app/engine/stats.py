"""What an engine has done since it began.

Counters that only grow, and samples that are kept until a reader takes them. The engine's thread
writes once a step. Any thread may read at any time. Knows nothing about its readers.
"""

from collections import deque
from dataclasses import dataclass, field

SAMPLES_KEPT = 4096  # until they are taken; beyond this number the oldest are lost


class Samples:
    """One thread appends, another takes. A deque needs no lock for that."""

    def __init__(self) -> None:
        self._waiting: deque[float] = deque(maxlen=SAMPLES_KEPT)
        self.append = self._waiting.append

    def take(self) -> list[float]:
        """The samples since the last call, in order."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]


@dataclass(slots=True)
class TokenCounts:
    """Of T3's engine."""

    step_ms: Samples = field(default_factory=Samples)
    num_rows: int = 0  # over all steps
    num_tokens: int = 0  # sampled, of sequences that go on or ended by themselves
    num_prefix_hits: int = 0  # prompts whose prefix was in the cache or being computed
    num_prefix_misses: int = 0
    num_skipped_words: int = 0  # of segments that ended by themselves
    num_fallen_tokens: int = 0  # of segments that nobody cancelled, as SpokenWords counts them
    num_jumped_tokens: int = 0
    tail_ms: Samples = field(default_factory=Samples)  # of each such segment, after its last word
    still_ms: Samples = field(default_factory=Samples)  # of each such segment, the longest
    num_babbles: int = 0  # segments that a guard ended, because they no longer followed the text
    num_pages_used: int = 0  # now
    num_pages: int = 0  # in all


@dataclass(slots=True)
class CellCounts:
    """Of the vocoder's engine."""

    step_ms: Samples = field(default_factory=Samples)
    late_ms: Samples = field(default_factory=Samples)  # of each cell with sound; 0: in time
    num_rows: int = 0  # cells, over all steps
    num_tokens: int = 0  # voiced
    num_marked: int = 0  # cells whose sound has left with its watermark
