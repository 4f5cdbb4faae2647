"""Summarises the records of a run in one JSON object.

A p99 needs at least 662 values; with fewer it is None. Knows nothing about servers.
"""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from loadtests.records import PLAYED, Outcome, Record, ms, of_kinds

LEAST_FOR_P99 = 662
LONGEST_LIST = 20


def percentiles(values: Iterable[float | None]) -> dict[str, float | int | None]:
    """Each percentile is one of the values."""
    known = sorted(value for value in values if value is not None)
    p99 = quantile(known, 0.99) if len(known) >= LEAST_FOR_P99 else None
    return {"n": len(known), "p50": quantile(known, 0.5), "p95": quantile(known, 0.95), "p99": p99}


def quantile(ranked: Sequence[float], q: float) -> float | None:
    """The smallest of the sorted values that is not exceeded by a share of at least `q` of them."""
    if not ranked:
        return None
    return round(ranked[min(len(ranked) - 1, int(q * len(ranked)))], 3)


def summary(records: Sequence[Record], run_faults: Sequence[str]) -> dict[str, object]:
    played = of_kinds(records, PLAYED)
    faults = [*run_faults, *request_faults(records)]
    outcomes = Counter(record.outcome.value for record in records)
    by_kind = {
        kind.value: {
            "n": len(rows),
            "first_audio_ms": percentiles(ms(row.ttfa_s) for row in rows),
            "stalled_share": stalled_share(rows),
        }
        for kind in sorted({record.kind for record in records})
        if (rows := of_kinds(records, (kind,)))
    }
    return {
        "num_requests": len(records),
        "num_played": sum(row.was_played for row in played),
        "seconds": round(seconds(records), 3),
        "outcomes": dict(sorted(outcomes.items())),
        "ttfa_ms": percentiles(ms(row.ttfa_s) for row in played),
        "ttfa_from_sent_ms": percentiles(ms(from_sent_s(row)) for row in played),
        "needed_prebuffer_ms": percentiles(row.needed_prebuffer_ms for row in played),
        "told_prebuffer_ms": percentiles(row.told_prebuffer_ms for row in played),
        "send_lag_ms": percentiles((row.sent_s - row.intended_s) * 1000 for row in records),
        "stalled_share": stalled_share(played),
        "num_stalls": sum(row.num_stalls for row in played),
        "longest_stall_ms": round(max((row.longest_stall_ms for row in played), default=0.0), 3),
        "audio_s_per_s": round(audio_s_per_s(records), 3),
        "cancel": cancels(records),
        "rows": [by_callers(played, num) for num in sorted({r.num_callers for r in played})],
        "kinds": by_kind,
        "num_unchecked": sum(r.outcome is Outcome.HEARD and r.finish is None for r in records),
        "passed": not faults,
        "num_faults": len(faults),
        "faults": faults[:LONGEST_LIST],
    }


def too_few_turns(records: Iterable[Record], num_asked: int) -> list[str]:
    num_played = sum(record.was_played for record in of_kinds(records, PLAYED))
    if num_played >= num_asked:
        return []
    return [f"{num_played} turns were played, {num_asked} were asked for"]


def request_faults(records: Iterable[Record]) -> list[str]:
    return [
        f"{record.kind} of {record.user}, session {record.session_id}: {record.outcome}"
        f" (status {record.status}) {record.detail}".rstrip()
        for record in records
        if record.outcome.is_fault
    ]


def by_callers(played: Sequence[Record], num_callers: int) -> dict[str, object]:
    rows = [record for record in played if record.num_callers == num_callers]
    return {
        "num_callers": num_callers,
        "ttfa_ms": percentiles(ms(row.ttfa_s) for row in rows),
        "stalled_share": stalled_share(rows),
    }


def cancels(records: Sequence[Record]) -> dict[str, object]:
    legs = sorted({leg for row in records for leg in row.legs_ms if leg.startswith(CANCEL_LEGS)})
    return {
        "states": dict(Counter(r.ack_state for r in records if r.ack_state is not None)),
        "ack_ms": percentiles(row.ack_ms for row in records),
        "bytes_after_ack": sum(row.bytes_after_ack for row in records),
        "legs_ms": {leg: percentiles(row.legs_ms.get(leg) for row in records) for leg in legs},
    }


CANCEL_LEGS = ("cancel_", "disconnect_")


def stalled_share(records: Sequence[Record]) -> float | None:
    """The share of stalled records among those with audio."""
    audible = [record for record in records if record.first_audio_s is not None]
    return round(statistics.mean(r.num_stalls > 0 for r in audible), 4) if audible else None


def audio_s_per_s(records: Sequence[Record]) -> float:
    return sum(record.audio_s for record in records) / max(seconds(records), 1e-9)


def seconds(records: Sequence[Record]) -> float:
    if not records:
        return 0.0
    return max(r.done_s for r in records) - min(r.intended_s for r in records)


def from_sent_s(record: Record) -> float | None:
    return None if record.first_audio_s is None else record.first_audio_s - record.sent_s
