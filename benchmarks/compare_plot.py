"""Plots two servers: time to first audio, and seconds of audio per second, by number of callers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

LOOKS = {"upstream": ("#b0413e", "s"), "ours": ("#2a6f97", "o")}


def draw(rows: Sequence[dict[str, Any]], title: str, path: Path) -> None:
    """`rows` are those of the last line. The suffix of `path` selects the format."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    first, rate = figure.subplots(1, 2)
    callers = sorted({row["num_callers"] for row in rows})
    for server, (colour, marker) in LOOKS.items():
        own = [row for row in rows if row["server"] == server]
        at = [row["num_callers"] for row in own]
        look = {"color": colour, "marker": marker, "label": server}
        first.plot(at, [row["ttfa_ms"]["p50"] / 1000 for row in own], **look)
        rate.plot(at, [row["audio_s_per_s"] for row in own], **look)
    first.set(yscale="log", ylabel="time to first audio, p50, s")
    rate.set(ylabel="seconds of audio per second", ylim=(0, None))
    for axes in (first, rate):
        axes.set(xlabel="callers", xticks=callers)
        axes.grid(alpha=0.3)
    rate.legend()
    figure.suptitle(title)
    with mpl.rc_context({"svg.hashsalt": "compare"}):  # the same rows make the same file
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
