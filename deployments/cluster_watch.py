"""Decides when a server's cluster is dead. Knows nothing about processes, HTTP or Ray."""

import math
from collections.abc import Collection
from enum import StrEnum

CLUSTER_LOST_STATUS = 3  # the exit status of a process that ends for this reason


class Part(StrEnum):
    """What a server cannot do without."""

    SERVE_RUN = "serve run"  # the process that started the cluster
    RAYLET = "raylet"
    GCS = "GCS"
    GCS_ANSWERS = "GCS answers"  # to an ingress, by the status of /health
    CONTROLLER = "controller"
    PROXY = "proxy"
    ANSWERS = "answers"  # of /health, with any status


# The raylet: a `serve run` that stops itself ends its raylet a moment before itself. The GCS: an
# ingress first ends its sessions with an error event, after limits.gcs_silence_s; of a GCS that
# hangs, that time is added here. Serve starts a controller and a proxy again. A deploy may leave
# /health without an answer for a while.
PATIENCE_S = {
    Part.RAYLET: 3.0,
    Part.GCS: 7.0,
    Part.GCS_ANSWERS: 3.0,
    Part.CONTROLLER: 60.0,
    Part.PROXY: 60.0,
    Part.ANSWERS: 120.0,
}

_LOST = {
    Part.SERVE_RUN: "the server ended by itself; its last log lines say why",
    Part.RAYLET: "Ray's raylet has died, and nothing starts it again",
    Part.GCS: "Ray's GCS (gcs_server) has died, and nothing starts it again",
    Part.GCS_ANSWERS: "Ray's GCS (gcs_server) runs, and does not answer",
    Part.CONTROLLER: "Serve's controller has been gone for {patience_s:g} s",
    Part.PROXY: "Serve's proxy has been gone for {patience_s:g} s",
    Part.ANSWERS: "/health has not answered for {patience_s:g} s",
}


def told(part: Part) -> str:
    """The sentence for the operator."""
    return _LOST[part].format(patience_s=PATIENCE_S.get(part, 0.0))


class ClusterWatch:
    """A part is lost when it was there and then is missing for longer than its patience. A part
    that was never there is not missed: the server still starts, or runs without that part."""

    def __init__(self, gcs_silence_s: float) -> None:
        """`gcs_silence_s`: as in limits."""
        self._gcs_silence_s = gcs_silence_s
        self._last_s: dict[Part, float] = {}

    def lost(self, present: Collection[Part], now_s: float) -> Part | None:
        """`present`: the parts that are there at `now_s`, on any monotonic clock."""
        self._last_s |= dict.fromkeys(present, now_s)
        for part in Part:
            last_s = self._last_s.get(part, math.inf)
            if part not in present and now_s - last_s >= self._patience_s(part):
                return part
        return None

    def _patience_s(self, part: Part) -> float:
        told_s = self._gcs_silence_s if part is Part.GCS_ANSWERS else 0.0
        return told_s + PATIENCE_S.get(part, 0.0)
