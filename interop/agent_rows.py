"""What an example agent left behind, whether that is as it should be, and the table.

Knows nothing about how the agent was run.
"""

import wave
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

# Two answers of the script are heard whole, and up to 4 s of the one that is interrupted.
LEAST_S = 5.0
LOUD = 1000  # a peak of 16 bit samples that is speech
HEAD = ("example", "works", "exit status", "sound heard")


@dataclass(frozen=True, slots=True)
class AgentRow:
    example: str
    status: int | None  # None: it did not end in time
    heard_s: float
    peak: int  # of what was heard
    trouble: str = ""  # the end of its errors

    @property
    def works(self) -> bool:
        return self.status == 0 and self.heard_s >= LEAST_S and self.peak >= LOUD

    def as_json(self) -> dict[str, object]:
        told = asdict(self)
        if self.works:
            del told["trouble"]
        return {**told, "works": self.works}


def row_of(example: str, status: int, out: Path, errors: str) -> AgentRow:
    """`out`: the WAV file that the agent should have written."""
    trouble = errors[-1500:]
    try:
        with wave.open(str(out), "rb") as file:
            rate, content = file.getframerate(), file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        return AgentRow(example, status, 0.0, 0, f"no sound was written ({error}): {trouble}")
    samples = np.frombuffer(content, "<i2").astype(np.int32)
    peak = int(np.abs(samples).max(initial=0))
    return AgentRow(example, status, round(len(samples) / rate, 2), peak, trouble)


def table(rows: Sequence[AgentRow]) -> str:
    lines = [" | ".join(HEAD), " | ".join("---" for _ in HEAD)]
    lines += [" | ".join(_cells(row)) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _cells(row: AgentRow) -> list[str]:
    status = "no end" if row.status is None else str(row.status)
    works = "yes" if row.works else "**no**"
    return [f"`examples/{row.example}`", works, status, f"{row.heard_s:.2f} s"]
