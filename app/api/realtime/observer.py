"""What becomes of realtime sessions, for metrics. Knows nothing about who counts."""

from collections.abc import Mapping
from typing import Protocol


class RealtimeObserver(Protocol):
    def heard(self, seconds: float) -> None:
        """Sound of a client was taken."""

    def utterance(self, outcome: str) -> None:
        """understood, empty, back_channel, or the code of a failure."""

    def responded(self, outcome: str) -> None:
        """completed, incomplete, turn_detected, client_cancelled, or the code of a failure."""

    def interrupted(self, legs_ms: Mapping[str, float]) -> None:
        """A barge-in, with the legs of app/hearing/cancel_chain.py."""


class Unobserved:
    """For an application that counts nothing."""

    def heard(self, seconds: float) -> None: ...

    def utterance(self, outcome: str) -> None: ...

    def responded(self, outcome: str) -> None: ...

    def interrupted(self, legs_ms: Mapping[str, float]) -> None: ...
