"""How far the times of words lie from a reference: for the benchmarks of words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.forced_alignment import Heard
from benchmarks.measure import quantile


@dataclass(slots=True)
class Errors:
    """In ms, of all words."""

    start: list[float] = field(default_factory=list)
    end: list[float] = field(default_factory=list)

    def add(self, time: Heard, reference: Heard) -> None:
        self.start.append(time.start_ms - reference.start_ms)
        self.end.append(time.end_ms - reference.end_ms)

    def row(self) -> Mapping[str, float | None]:
        """The median of the errors, and the spread around the median."""
        return {**_spread("start", self.start), **_spread("end", self.end)}


def _spread(name: str, errors: Sequence[float]) -> Mapping[str, float | None]:
    middle = median(errors) if errors else 0.0
    around = [abs(error - middle) for error in errors]
    return {
        f"{name}_median_ms": round(middle, 1),
        f"{name}_p50_ms": quantile(around, 0.5),
        f"{name}_p90_ms": quantile(around, 0.9),
    }
