"""A simulated player that counts its stalls.

Playback starts with the first audio, or when `prebuffer_s` of audio has arrived. Knows nothing
about clocks: callers pass the time.
"""

LEAST_STALL_S = 0.1


class Player:
    def __init__(self, prebuffer_s: float = 0.0) -> None:
        self.stalls_s: list[float] = []  # the silences of more than LEAST_STALL_S
        self.audio_s = 0.0  # received
        self._prebuffer_s = prebuffer_s
        self._dry_s: float | None = None  # when all received audio has been played

    def feed(self, at_s: float, audio_s: float) -> None:
        """Adds audio that arrived at `at_s`. A player that had run dry continues at once."""
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
        """The end of playback if no audio arrives after `at_s`."""
        return at_s + self.audio_s if self._dry_s is None else max(at_s, self._dry_s)
