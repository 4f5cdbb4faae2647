"""Every metric of ours, by name. Serve adds the tags application, deployment and replica.

No metric is written on a hot path. The ingress counts a session when the session ends, from its
marks (app/core.py). A replica publishes its engine's numbers (app/engine/stats.py) with each
heartbeat. Tags have few values: never an id, a text or a name that a caller chose.
"""

from collections.abc import Callable, Sequence

from ray.serve.metrics import Counter, Gauge, Histogram

from app.core import CancelAck, Mark, Marks, StageStats
from app.engine.stats import CellCounts, TokenCounts
from app.sessions.table import SessionEnd
from app.sessions.timeline import cancel_legs, first_audio_legs, real_time_factor

_BUCKETS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 60_000]
_FIRST_AUDIO_MS = [50, 100, 150, 200, 300, 400, 600, 800, 1000, 1500, 2000, 3000, 5000, 10_000]
_STEP_MS = [1, 2, 5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000, 2000]
_STRAY_MS = [40, 80, 120, 200, 300, 400, 600, 800, 1000, 1500, 2000, 5000]
_STALL_MS = [1, 20, 50, 100, 200, 500, 1000, 2000, 5000]
_FACTORS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 5.0]
_UNDERRUNS = [0.5, 1.5, 2.5, 5.5, 10.5]


class SessionMetrics:
    """Make one per ingress replica, in its constructor."""

    def __init__(self) -> None:
        self._sessions = Counter(
            "chatterbox_sessions_total", "Sessions that have ended", tag_keys=("finish", "cause")
        )
        self._audio_s = Counter("chatterbox_audio_seconds_total", "Audio handed to the proxy")
        self._first_audio = Histogram(
            "chatterbox_time_to_first_audio_ms",
            "From the read request to its first audio, handed to the proxy",
            _FIRST_AUDIO_MS,
        )
        self._factor = Histogram(
            "chatterbox_real_time_factor",
            "Seconds until a session's last audio was made, per second of its audio",
            _FACTORS,
        )
        self._stalls = Histogram(
            "chatterbox_stream_stalled_ms", "Of each stream, the time without audio", _STALL_MS
        )
        self._underruns = Histogram(
            "chatterbox_stream_underruns", "Of each stream, how often audio ran out", _UNDERRUNS
        )
        self._cancels = Counter(
            "chatterbox_cancels_total", "Cancel calls that were answered", tag_keys=("state",)
        )
        self._discarded = Counter(
            "chatterbox_tokens_discarded_total", "Generated in stopped sessions, never sent"
        )
        self._legs = Histogram(
            "chatterbox_leg_ms",
            "The legs of app/sessions/timeline.py",
            _BUCKETS_MS,
            tag_keys=("leg",),
        )
        self._refusals = Counter(
            "chatterbox_refusals_total",
            "Requests, streams and messages that ended with an error, by its code",
            tag_keys=("code",),
        )

    def ended(self, end: SessionEnd) -> None:
        self._sessions.inc(tags={"finish": end.reason.value, "cause": end.cause})
        if end.audio_sent_s > 0:
            self._audio_s.inc(end.audio_sent_s)
        legs = first_audio_legs(end.marks)
        self._observe(legs)
        if "first_audio" in legs:
            self._first_audio.observe(legs["first_audio"])
        if (factor := real_time_factor(end.marks, end.audio_sent_s)) is not None:
            self._factor.observe(factor)
        if end.is_stream and Mark.FIRST_BYTE in end.marks:
            self._stalls.observe(end.stalled_s * 1000)
            self._underruns.observe(end.num_underruns)

    def acknowledged(self, ack: CancelAck) -> None:
        self._cancels.inc(tags={"state": ack.state.value})

    def stopped(self, num_discarded: int, marks: Marks) -> None:
        """A session that a cancel or a disconnect has stopped, once that is confirmed."""
        if num_discarded:
            self._discarded.inc(num_discarded)
        self._observe(cancel_legs(marks))

    def refused(self, code: str) -> None:
        self._refusals.inc(tags={"code": code})

    def _observe(self, legs: dict[str, float]) -> None:
        for leg, ms in legs.items():
            self._legs.observe(max(0.0, ms), tags={"leg": leg})


class StageMetrics:
    """One stage in one replica. Make one per stage, in the replica's constructor."""

    def __init__(self, stage: str, counts: TokenCounts | CellCounts | None = None) -> None:
        """`counts`: those of its engine; None for the ingress."""
        tags = {"stage": stage}
        self._live = _gauge(
            "chatterbox_stage_live", "Running sequences, segments or sessions", tags
        )
        self._waiting = _gauge("chatterbox_stage_waiting", "Those that wait for a slot", tags)
        self._free = _gauge("chatterbox_stage_slots_free", "Free slots", tags)
        self._slots = _gauge("chatterbox_stage_slots", "All slots", tags)
        self._late_s = _gauge(
            "chatterbox_stage_late_seconds", "How late the most urgent work is now", tags
        )
        self._base_s = _gauge(
            "chatterbox_call_base_seconds",
            "What every call costs here: a decode step of T3, a cell of the vocoder",
            tags,
        )
        self._each_s = _gauge(
            "chatterbox_call_each_seconds",
            "What a call costs more for each sequence (T3) or token (vocoder)",
            tags,
        )
        self._registry = _gauge(
            "chatterbox_registry_reachable", "1 if the last heartbeat was answered, else 0", tags
        )
        self._lost = _counter(
            "chatterbox_lost_sessions_total", "Stopped because no consumer wanted them", tags
        )
        self._publish_counts: Callable[[], None] | None = None
        if isinstance(counts, TokenCounts):
            self._publish_counts = _TokenMetrics(counts, tags).publish
        elif counts is not None:
            self._publish_counts = _CellMetrics(counts, tags).publish

    def publish(self, stats: StageStats) -> None:
        """Call it on the replica's event loop, twice a second."""
        self._live.set(stats.live)
        self._waiting.set(stats.waiting)
        self._free.set(stats.slots_free)
        self._slots.set(stats.slots_total)
        self._late_s.set(stats.late_s)
        if stats.cost is not None:
            self._base_s.set(stats.cost.base_s)
            self._each_s.set(stats.cost.each_s)
        if self._publish_counts is not None:
            self._publish_counts()

    def note_heartbeat(self, *, answered: bool) -> None:
        self._registry.set(float(answered))

    def lost(self, num_sessions: int) -> None:
        if num_sessions:
            self._lost.inc(num_sessions)


class _EngineMetrics:
    """The metrics of both engines."""

    def __init__(self, counts: TokenCounts | CellCounts, tags: dict[str, str]) -> None:
        self._counts = counts
        self._step = _histogram("chatterbox_step_ms", "One step of the engine", _STEP_MS, tags)
        self._rows = _Growth("chatterbox_step_rows_total", "Rows or cells of all steps", tags)
        self._tokens = _Growth("chatterbox_tokens_total", "Speech tokens made or voiced", tags)

    def publish(self) -> None:
        for ms in self._counts.step_ms.take():
            self._step.observe(ms)
        self._rows.to(self._counts.num_rows)
        self._tokens.to(self._counts.num_tokens)


class _TokenMetrics:
    def __init__(self, counts: TokenCounts, tags: dict[str, str]) -> None:
        self._counts = counts
        self._engine = _EngineMetrics(counts, tags)
        self._hits = _Growth("chatterbox_prefix_hits_total", "Prompts whose voice was cached", tags)
        self._misses = _Growth(
            "chatterbox_prefix_misses_total", "Prompts whose voice was not", tags
        )
        self._skipped = _Growth(
            "chatterbox_skipped_words_total", "Words that T3 did not reach before it stopped", tags
        )
        self._fallen = _Growth(
            "chatterbox_fallen_tokens_total", "Tokens of T3 that fell back in their text", tags
        )
        self._jumped = _Growth(
            "chatterbox_jumped_tokens_total", "Tokens of T3 at which their text jumped", tags
        )
        self._babbles = _Growth(
            "chatterbox_babbles_total", "Segments that a guard ended off their text", tags
        )
        self._tail = _histogram(
            "chatterbox_tail_ms", "Sound after the last word of a segment", _STRAY_MS, tags
        )
        self._still = _histogram(
            "chatterbox_still_ms", "Longest stay of a segment at one place", _STRAY_MS, tags
        )
        self._used = _gauge("chatterbox_kv_pages_used", "Reserved for sequences and voices", tags)
        self._pages = _gauge("chatterbox_kv_pages", "All pages of 16 positions", tags)

    def publish(self) -> None:
        self._engine.publish()
        self._hits.to(self._counts.num_prefix_hits)
        self._misses.to(self._counts.num_prefix_misses)
        self._skipped.to(self._counts.num_skipped_words)
        self._fallen.to(self._counts.num_fallen_tokens)
        self._jumped.to(self._counts.num_jumped_tokens)
        self._babbles.to(self._counts.num_babbles)
        for ms in self._counts.tail_ms.take():
            self._tail.observe(ms)
        for ms in self._counts.still_ms.take():
            self._still.observe(ms)
        self._used.set(self._counts.num_pages_used)
        self._pages.set(self._counts.num_pages)


class _CellMetrics:
    def __init__(self, counts: CellCounts, tags: dict[str, str]) -> None:
        self._counts = counts
        self._engine = _EngineMetrics(counts, tags)
        self._late = _histogram(
            "chatterbox_cell_late_ms",
            "Of each cell, how long its listener had no audio",
            _STALL_MS,
            tags,
        )
        self._marked = _Growth(
            "chatterbox_watermarked_cells_total", "Cells whose watermarked audio was sent", tags
        )

    def publish(self) -> None:
        self._engine.publish()
        for ms in self._counts.late_ms.take():
            self._late.observe(ms)
        self._marked.to(self._counts.num_marked)


class EnrolmentMetrics:
    """Make one per enroller replica, in its constructor."""

    def __init__(self) -> None:
        self._took = Histogram(
            "chatterbox_enrolment_ms",
            "From a recording to a voice, or to the refusal of the recording",
            _BUCKETS_MS,
            tag_keys=("outcome",),
        )

    def ended(self, took_s: float, *, failed: bool) -> None:
        self._took.observe(took_s * 1000, tags={"outcome": "failed" if failed else "enrolled"})


class _Growth:
    """A counter that follows a number which only grows."""

    def __init__(self, name: str, description: str, tags: dict[str, str]) -> None:
        self._counter = _counter(name, description, tags)
        self._published = 0

    def to(self, total: int) -> None:
        if total > self._published:
            self._counter.inc(total - self._published)
            self._published = total


def _counter(name: str, description: str, tags: dict[str, str]) -> Counter:
    counter = Counter(name, description, tag_keys=tuple(tags))
    counter.set_default_tags(dict(tags))  # Serve changes the dict that it is given
    return counter


def _gauge(name: str, description: str, tags: dict[str, str]) -> Gauge:
    gauge = Gauge(name, description, tag_keys=tuple(tags))
    gauge.set_default_tags(dict(tags))
    return gauge


def _histogram(
    name: str, description: str, boundaries: Sequence[float], tags: dict[str, str]
) -> Histogram:
    histogram = Histogram(name, description, list(boundaries), tag_keys=tuple(tags))
    histogram.set_default_tags(dict(tags))
    return histogram
