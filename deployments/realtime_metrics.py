"""The metrics of realtime sessions; those of everything else are in deployments/metrics.py, which
says what holds for all."""

from collections.abc import Mapping

from ray.serve.metrics import Counter, Histogram

_LEG_MS = [1, 2, 5, 10, 20, 50, 100, 150, 200, 300, 500, 1000, 2000, 5000]


class RealtimeMetrics:
    """Implements app.api.realtime.observer.RealtimeObserver. Make one per ingress replica."""

    def __init__(self) -> None:
        self._heard_s = Counter("chatterbox_heard_seconds_total", "Sound of callers that was heard")
        self._utterances = Counter(
            "chatterbox_utterances_total",
            "Utterances that have ended: understood, empty, back_channel, or the code of a failure",
            tag_keys=("outcome",),
        )
        self._responses = Counter(
            "chatterbox_responses_total",
            "Responses of realtime sessions, by how they ended",
            tag_keys=("outcome",),
        )
        self._legs = Histogram(
            "chatterbox_barge_in_leg_ms",
            "The legs of app/hearing/cancel_chain.py",
            _LEG_MS,
            tag_keys=("leg",),
        )

    def heard(self, seconds: float) -> None:
        self._heard_s.inc(seconds)

    def utterance(self, outcome: str) -> None:
        self._utterances.inc(tags={"outcome": outcome})

    def responded(self, outcome: str) -> None:
        self._responses.inc(tags={"outcome": outcome})

    def interrupted(self, legs_ms: Mapping[str, float]) -> None:
        for leg, ms in legs_ms.items():
            self._legs.observe(max(0.0, ms), tags={"leg": leg})
