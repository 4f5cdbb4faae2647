"""A player that plays sound as it comes: when does it run dry, and for how long?

Plays from the first sound on, or once `prebuffer_s` of it is there. Knows no clock of its own.
"""

LEAST_STALL_S = 0.1


class Player:
    def __init__(self, prebuffer_s: float = 0.0) -> None:
        self.stalls_s: list[float] = []  # of more than LEAST_STALL_S
        self.audio_s = 0.0  # received
        self._prebuffer_s = prebuffer_s
        self._dry_s: float | None = None  # when all that was received has been played

    def feed(self, at_s: float, audio_s: float) -> None:
        """So much sound has come. Playback that ran dry goes on at once."""
        self.audio_s += audio_s
        if self._dry_s is None:
            if self.audio_s >= self._prebuffer_s:
                self._dry_s = at_s + self.audio_s
            return
        gap_s = at_s - self._dry_s
        if gap_s > LEAST_STALL_S:
            self.stalls_s.append(gap_s)
        self._dry_s = max(at_s, self._dry_s) + audio_s

    def over_s(self, at_s: float) -> float:
        """When playback is over, if no more comes after `at_s`."""
        return at_s + self.audio_s if self._dry_s is None else max(at_s, self._dry_s)
