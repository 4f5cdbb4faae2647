"""The real application on the embedded model, with a T3 that a test can hold at a token."""

import os
from collections.abc import Sequence as Rows
from pathlib import Path

from app.config import ServeArgs
from app.engine.stages import T3Stage
from app.engine.t3.sequence import Sequence
from deployments.t3 import T3

HOLD_AT = 40  # tokens of the first segment, in sessions whose id begins with "hold"


def held_t3(gate: Path) -> type[T3]:
    """A T3 whose engine thread waits inside a step until a test opens `gate` (a FIFO)."""
    os.mkfifo(gate)

    class HeldT3(T3):
        def open_stage(self, args: ServeArgs, device: str) -> T3Stage:
            return T3Stage.open(args, device, on_step=hold)

    def hold(rows: Rows[Sequence]) -> None:
        for row in rows:
            held = row.key.session_id.startswith("hold") and row.segment == 0
            if held and len(row.tokens) == HOLD_AT:
                gate.read_text()  # returns when a writer has come and gone

    return HeldT3


def release(gate: Path) -> None:
    """Waits until T3 is held, then lets it go on."""
    gate.write_text("")
