"""Writes summary.json and report.html of a run. The page loads no other file."""

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
    "time to first audio, after the request was due, ms": "ttfa_ms",
    "time to first audio, after the request was sent, ms": "ttfa_from_sent_ms",
    "delay of the sending, ms": "send_lag_ms",
    "prebuffer that a player needed, ms": "needed_prebuffer_ms",
    "prebuffer that the server told, ms": "told_prebuffer_ms",
}


def write_report(folder: Path, summary: Mapping[str, object], records: Sequence[Record]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n")
    (folder / PAGE).write_text(page(summary, plots(records)))


def page(summary: Mapping[str, object], svgs: Mapping[str, str]) -> str:
    heading = f"Load test: {summary.get('users')}, {summary.get('shape')}"
    parts = [
        "<!doctype html>",
        f"<html lang='en'><meta charset='utf-8'><title>{html.escape(heading)}</title>",
        f"<style>{_STYLE}</style>",
        f"<h1>{html.escape(heading)}</h1>",
        _numbers(summary),
        _percentiles(summary),
        _faults(summary),
        *(f"<h2>{html.escape(name)}</h2>{svg}" for name, svg in svgs.items()),
        f"<h2>Summary</h2><pre>{html.escape(json.dumps(summary, indent=1))}</pre></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _numbers(summary: Mapping[str, object]) -> str:
    shown = (
        "passed",
        "capacity",
        "claimed_capacity",
        "num_requests",
        "num_played",
        "seconds",
        "stalled_share",
        "longest_stall_ms",
        "audio_s_per_s",
    )
    rows = [
        f"<tr><th>{name}</th><td>{html.escape(str(summary[name]))}</td></tr>"
        for name in shown
        if name in summary
    ]
    return f"<table>{''.join(rows)}</table>"


def _percentiles(summary: Mapping[str, object]) -> str:
    rows = []
    for title, name in _FIGURES.items():
        values = summary.get(name)
        if isinstance(values, Mapping):
            cells = "".join(f"<td>{_cell(values.get(column))}</td>" for column in _SHOWN)
            rows.append(f"<tr><th>{title}</th>{cells}</tr>")
    head = "".join(f"<th>{column}</th>" for column in _SHOWN)
    return f"<table><tr><th></th>{head}</tr>{''.join(rows)}</table>" if rows else ""


def _cell(value: object) -> str:
    return "&ndash;" if value is None else html.escape(str(value))


def _faults(summary: Mapping[str, object]) -> str:
    faults = summary.get("faults")
    if not isinstance(faults, Sequence) or not faults:
        return ""
    items = "".join(f"<li>{html.escape(str(fault))}</li>" for fault in faults)
    return f"<h2 class='faults'>Faults</h2><ul class='faults'>{items}</ul>"
