"""Finds live sessions and open groups whose ingress has died: no ingress names them in its
heartbeats any more."""

from collections.abc import Callable, Collection

from app.core import FinishReason, SessionKey
from app.sessions.table import SessionEnd

LOST_AFTER_S = 60.0  # longer than an ingress is stopped, or a registry is away
LOST = SessionEnd(FinishReason.ERROR, cause="replica_lost")


class LostSessions:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._named_at: dict[SessionKey, float] = {}

    def lost(self, keys: Collection[SessionKey], named: Collection[SessionKey]) -> set[SessionKey]:
        """Those of `keys`, which are all that are live or open, that are not new and have not been
        `named` for LOST_AFTER_S."""
        now, before = self._now(), self._named_at
        self._named_at = {k: now if k in named else before.get(k, now) for k in keys}
        return {key for key, at in self._named_at.items() if now - at > LOST_AFTER_S}
