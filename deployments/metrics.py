"""Every metric of ours, by name. Serve adds application, deployment and replica.

Counted by the ingress, once per session and once per cancel: what a session did is told by its
marks (app/core.py), so no stage counts on a hot path.
"""

from ray.serve.metrics import Counter, Histogram

from app.core import CancelAck, Marks
from app.sessions import SessionEnd
from app.timeline import cancel_legs, first_audio_legs

_BUCKETS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 60_000]


class SessionMetrics:
    """Make one per replica, in its constructor."""

    def __init__(self) -> None:
        self._sessions = Counter(
            "chatterbox_sessions_total", "sessions that have ended", tag_keys=("finish",)
        )
        self._audio_s = Counter("chatterbox_audio_seconds_total", "sound handed to the proxy")
        self._cancels = Counter(
            "chatterbox_cancels_total", "cancel calls answered", tag_keys=("state",)
        )
        self._discarded = Counter(
            "chatterbox_tokens_discarded_total", "generated in cancelled sessions, never sent"
        )
        self._legs = Histogram(
            "chatterbox_leg_ms", "app/timeline.py names the legs", _BUCKETS_MS, tag_keys=("leg",)
        )

    def ended(self, end: SessionEnd) -> None:
        self._sessions.inc(tags={"finish": end.reason.value})
        if end.audio_sent_s > 0:
            self._audio_s.inc(end.audio_sent_s)
        self._observe(first_audio_legs(end.marks))

    def acknowledged(self, ack: CancelAck) -> None:
        self._cancels.inc(tags={"state": ack.state.value})

    def stopped(self, num_discarded: int, marks: Marks) -> None:
        """A cancel that stopped a session, once its confirmations are in."""
        if num_discarded:
            self._discarded.inc(num_discarded)
        self._observe(cancel_legs(marks))

    def _observe(self, legs: dict[str, float]) -> None:
        for leg, ms in legs.items():
            self._legs.observe(max(0.0, ms), tags={"leg": leg})
