"""The plots of a report, as SVG. Knows nothing about pages or servers."""

import io
import statistics
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.records import PLAYED, Record, ms, of_kinds
from loadtests.summary import CANCEL_LEGS, quantile, stalled_share

TURN_LEGS = (  # in their order, from the received request to the first byte
    "claim",
    "to_vocoder",
    "to_t3",
    "queue",
    "first_tokens",
    "first_cell",
    "hold",
    "to_proxy",
)
SIZE = (7.2, 3.4)  # inches


def plots(records: Sequence[Record]) -> dict[str, str]:
    """SVG by title, without the plots for which there are no records."""
    played = of_kinds(records, PLAYED)
    figures = {
        "Time to first audio against callers": first_audio(played),
        "Stalled turns against callers": stalled(played),
        "Time to first audio over the run": over_the_run(played),
        "Timeline of a turn": timeline(played),
        "Legs of a cancel": cancel_legs(records),
    }
    return {title: svg(figure) for title, figure in figures.items() if figure is not None}


def svg(figure: Figure) -> str:
    """SVG without the XML prologue, for use inside a page."""
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def axes_of(figure: Figure, x: str, y: str) -> Axes:
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def first_audio(played: Sequence[Record]) -> Figure | None:
    by_callers: dict[int, list[float]] = {}
    for record in played:
        if record.ttfa_s is not None:
            by_callers.setdefault(record.num_callers, []).append(record.ttfa_s * 1000)
    if not by_callers:
        return None
    figure = Figure(SIZE)
    axes = axes_of(figure, "callers", "ms after the request was due")
    for num_callers, values in by_callers.items():
        axes.scatter([num_callers] * len(values), values, s=10, alpha=0.35, color="tab:blue")
    levels = sorted(by_callers)
    for q, style in ((0.5, "-"), (0.95, "--")):
        line = [quantile(sorted(by_callers[level]), q) or 0.0 for level in levels]
        axes.plot(levels, line, style, color="black", label=f"p{q * 100:.0f}", marker=".")
    axes.set_ylim(bottom=0)
    axes.set_xticks(levels)
    axes.legend(frameon=False)
    return figure


def stalled(played: Sequence[Record]) -> Figure | None:
    audible = [record for record in played if record.first_audio_s is not None]
    levels = sorted({record.num_callers for record in audible})
    if not levels:
        return None
    figure = Figure(SIZE)
    axes = axes_of(figure, "callers", "% of turns that stalled > 100 ms")
    rows = [[record for record in audible if record.num_callers == level] for level in levels]
    shares = [100 * (stalled_share(row) or 0.0) for row in rows]
    bars = axes.bar(levels, shares, width=0.5, color="tab:red")
    axes.bar_label(bars, [f"n={len(row)}" for row in rows], fontsize=8, padding=2)
    axes.set_ylim(0, 105)
    axes.set_xticks(levels)
    return figure


def over_the_run(played: Sequence[Record]) -> Figure | None:
    audible = [record for record in played if record.first_audio_s is not None]
    if not audible:
        return None
    begun_s = min(record.intended_s for record in audible)
    figure = Figure(SIZE)
    axes = axes_of(figure, "s of the run at which the request was due", "ms after it was due")
    for is_stalled, colour, label in ((False, "tab:blue", "smooth"), (True, "tab:red", "stalled")):
        rows = [record for record in audible if (record.num_stalls > 0) == is_stalled]
        if rows:
            at_s = [record.intended_s - begun_s for record in rows]
            late_ms = [ms(record.ttfa_s) or 0.0 for record in rows]
            axes.scatter(at_s, late_ms, s=12, alpha=0.6, color=colour, label=label)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def timeline(played: Sequence[Record]) -> Figure | None:
    """The turn with the median time to first audio, leg by leg: the server's legs, then the
    client's."""
    complete = [r for r in played if r.legs_ms.keys() >= {"first_audio"} and r.ttfa_s is not None]
    if not complete:
        return None
    turn = sorted(complete, key=lambda record: record.ttfa_s or 0.0)[len(complete) // 2]
    figure = Figure(SIZE)
    axes = axes_of(figure, "ms after the request was due", "")
    names, at_ms = [], (turn.sent_s - turn.intended_s) * 1000
    spans = [("waits in the client", 0.0, at_ms)]
    for leg in TURN_LEGS:
        if leg in turn.legs_ms:
            spans.append((leg, at_ms, turn.legs_ms[leg]))
            at_ms += turn.legs_ms[leg]
    first_ms = ms(turn.ttfa_s) or at_ms
    spans.append(("connection and proxy", at_ms, max(0.0, first_ms - at_ms)))
    for row, (name, begun_ms, length_ms) in enumerate(spans):
        axes.barh(row, length_ms, left=begun_ms, color=f"C{row}")
        axes.text(begun_ms + length_ms, row, f" {length_ms:.1f} ms", va="center", fontsize=8)
        names.append(name)
    axes.axvline(first_ms, color="black", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_title(f"session {turn.session_id}, {turn.num_callers} callers", fontsize=9)
    return figure


def cancel_legs(records: Sequence[Record]) -> Figure | None:
    by_leg: dict[str, list[float]] = {}
    for record in records:
        if record.ack_ms is not None:
            by_leg.setdefault("at the caller", []).append(record.ack_ms)
        for leg, value in record.legs_ms.items():
            if leg.startswith(CANCEL_LEGS):
                by_leg.setdefault(leg, []).append(value)
    if not by_leg:
        return None
    figure = Figure(SIZE)
    axes = axes_of(figure, "ms; the line is the median", "")
    names = sorted(by_leg)
    for row, name in enumerate(names):
        axes.scatter(by_leg[name], [row] * len(by_leg[name]), s=12, alpha=0.5, color="tab:purple")
        axes.plot(statistics.median(by_leg[name]), row, "|", color="black", markersize=16)
    axes.set_yticks(range(len(names)), [f"{name} (n={len(by_leg[name])})" for name in names])
    axes.set_xlim(left=0)
    return figure
