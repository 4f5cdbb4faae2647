"""The folder of a run: requests.jsonl, summary.json and report.html, a page that needs nothing."""

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtests.plots import plots
from loadtests.records import Record

REQUESTS, SUMMARY, PAGE = "requests.jsonl", "summary.json", "report.html"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse } td, th { padding: .2rem .8rem; border-bottom: 1px solid #ddd }
td { text-align: right } th { text-align: left; font-weight: normal } svg { max-width: 100% }
.faults { color: #a00 }
"""
_SHOWN = ("n", "p50", "p95", "p99")
_FIGURES = {
    "time to first audio, from when it was due, ms": "ttfa_ms",
    "time to first audio, from when it was sent, ms": "ttfa_from_sent_ms",
    "sent after it was due, ms": "send_lag_ms",
}


def write_report(folder: Path, told: Mapping[str, object], records: Sequence[Record]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY).write_text(json.dumps(told, indent=1) + "\n")
    (folder / PAGE).write_text(page(told, plots(records)))


def page(told: Mapping[str, object], drawings: Mapping[str, str]) -> str:
    title = f"Load test: {told.get('users')}, {told.get('shape')}"
    parts = [
        "<!doctype html>",
        f"<html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f"<h1>{html.escape(title)}</h1>",
        _numbers(told),
        _percentiles(told),
        _faults(told),
        *(f"<h2>{html.escape(name)}</h2>{drawing}" for name, drawing in drawings.items()),
        f"<h2>All of it</h2><pre>{html.escape(json.dumps(told, indent=1))}</pre></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _numbers(told: Mapping[str, object]) -> str:
    shown = (
        "passed",
        "capacity",
        "num_requests",
        "seconds",
        "stalled_share",
        "longest_stall_ms",
        "audio_s_per_s",
    )
    rows = [
        f"<tr><th>{name}</th><td>{html.escape(str(told[name]))}</td></tr>"
        for name in shown
        if name in told
    ]
    return f"<table>{''.join(rows)}</table>"


def _percentiles(told: Mapping[str, object]) -> str:
    rows = []
    for words, name in _FIGURES.items():
        values = told.get(name)
        if isinstance(values, Mapping):
            cells = "".join(f"<td>{_cell(values.get(column))}</td>" for column in _SHOWN)
            rows.append(f"<tr><th>{words}</th>{cells}</tr>")
    head = "".join(f"<th>{column}</th>" for column in _SHOWN)
    return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>" if rows else ""


def _cell(value: object) -> str:
    return "&ndash;" if value is None else html.escape(str(value))


def _faults(told: Mapping[str, object]) -> str:
    faults = told.get("faults")
    if not isinstance(faults, Sequence) or not faults:
        return ""
    items = "".join(f"<li>{html.escape(str(fault))}</li>" for fault in faults)
    return f"<h2 class='faults'>Faults</h2><ul class='faults'>{items}</ul>"
