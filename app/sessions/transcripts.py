"""What was said in the sessions that have ended, and how much of it their clients have played.

A session that is forgotten here still has its report. Knows nothing about waiting, Ray or HTTP.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from app.core import FinishReason, SessionKey
from app.sessions.heard import heard
from app.sessions.table import SessionEnd
from app.spoken_words import Heard, Transcript

MAX_WORDS = 200_000  # of all sessions: some 60 MB; beyond it the oldest session is forgotten first
_TEXT = 64  # characters of text that count as a word: a text may have none


@dataclass(slots=True)
class _Kept:
    at_s: float
    played_ms: float | None = None  # as the client's first cancel told it
    transcript: Transcript | None = None  # None: the session has not ended
    is_cut: bool = False  # the session did not speak its whole text

    @property
    def num_words(self) -> int:
        """With those for which its text counts."""
        if self.transcript is None:
            return 1
        return 1 + len(self.transcript.words) + len(self.transcript.text) // _TEXT


class Transcripts:
    """`now`: the clock, in seconds."""

    def __init__(self, remember_s: float, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: OrderedDict[SessionKey, _Kept] = OrderedDict()  # oldest first
        self._num_words = 0
        self.keep_for(remember_s)

    def __len__(self) -> int:
        self._forget()
        return len(self._kept)

    def keep_for(self, remember_s: float) -> None:
        """From now on."""
        self._remember_s = remember_s

    def keep(self, key: SessionKey, end: SessionEnd) -> None:
        """Of a session that has ended. Only its first call counts."""
        kept = self._kept.get(key)
        if end.transcript is not None and (kept is None or kept.transcript is None):
            played_ms = end.played_ms if kept is None else kept.played_ms
            is_cut = end.reason is not FinishReason.STOP
            self._put(key, _Kept(self._now(), played_ms, end.transcript, is_cut))

    def played(self, key: SessionKey, played_ms: float) -> None:
        """The client has played this much of the session. Only its first call counts."""
        kept = self._kept.get(key)
        if kept is None:
            self._put(key, _Kept(self._now(), played_ms))
        elif kept.played_ms is None:
            kept.played_ms = played_ms

    def get(self, key: SessionKey) -> Transcript | None:
        """None: the session has not ended, or is forgotten."""
        self._forget()
        kept = self._kept.get(key)
        return None if kept is None else kept.transcript

    def heard(self, key: SessionKey) -> Heard | None:
        """All that was sent, or what the client has played of it."""
        self._forget()
        kept = self._kept.get(key)
        if kept is None or kept.transcript is None:
            return None
        return heard(kept.transcript, kept.played_ms)

    def reported(self, key: SessionKey) -> Heard | None:
        """The same, of a session that was cut or whose client has told what it played."""
        kept = self._kept.get(key)
        is_told = kept is not None and (kept.is_cut or kept.played_ms is not None)
        return self.heard(key) if is_told else None

    def _put(self, key: SessionKey, kept: _Kept) -> None:
        self._drop(key)
        self._kept[key] = kept
        self._num_words += kept.num_words
        self._forget()

    def _drop(self, key: SessionKey) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._num_words -= kept.num_words

    def _forget(self) -> None:
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if self._num_words <= MAX_WORDS and self._now() - oldest.at_s <= self._remember_s:
                return
            self._drop(key)
