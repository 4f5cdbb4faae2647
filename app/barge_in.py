"""The course of a barge-in, for the report of the session whose speech it cut.

Imports nothing of ours. Knows nothing about what the marks mean: app/hearing/cancel_chain.py does.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BargeInTimes:
    """`marks`: seconds of the monotonic clock of the ingress's machine, in the order of time."""

    response_id: str
    marks: Mapping[str, float]
    legs_ms: Mapping[str, float]
