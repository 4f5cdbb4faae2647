"""A simulated player. It counts its stalls, and measures the prebuffer that it needed.

Playback starts `prebuffer_s` after the first audio. The server may tell a player to wait longer.
Knows nothing about clocks: callers pass the time.
"""

from collections.abc import Mapping

LEAST_STALL_S = 0.1
PREBUFFER_HEADER = "X-Prebuffer-Ms"


def told_prebuffer_s(headers: Mapping[str, str]) -> float | None:
    """Of an answer over HTTP; None if it does not say. Raises ValueError."""
    told_ms = headers.get(PREBUFFER_HEADER)
    return None if told_ms is None else float(told_ms) / 1000


class Player:
    def __init__(self, prebuffer_s: float = 0.0) -> None:
        self.stalls_s: list[float] = []  # the silences of more than LEAST_STALL_S
        self.audio_s = 0.0  # received
        self.first_s: float | None = None  # when the first audio arrived
        self.needed_prebuffer_s = 0.0  # a player that waits for this time never runs dry
        self.told_prebuffer_s: float | None = None  # None: the server said nothing
        self._prebuffer_s = prebuffer_s
        self._dry_s = 0.0  # when all received audio has been played

    def tell(self, prebuffer_s: float | None) -> None:
        """The server says how long a player must wait after the first audio. Its last word before
        the first audio counts."""
        if prebuffer_s is not None and self.first_s is None:
            self.told_prebuffer_s = prebuffer_s

    def feed(self, at_s: float, audio_s: float) -> None:
        """Adds audio that arrived at `at_s`. A player that had run dry continues at once."""
        if self.first_s is None:
            self.first_s = at_s
            self._dry_s = at_s + max(self._prebuffer_s, self.told_prebuffer_s or 0.0)
        self._miss_until(at_s)
        self._dry_s = max(at_s, self._dry_s) + audio_s
        self.audio_s += audio_s

    def give_up(self, at_s: float) -> None:
        """The stream did not end, and no more audio came until `at_s`."""
        if self.first_s is not None:
            self._miss_until(at_s)

    def over_s(self, at_s: float) -> float:
        """The end of playback if no audio arrives after `at_s`."""
        return at_s if self.first_s is None else max(at_s, self._dry_s)

    def _miss_until(self, at_s: float) -> None:
        late_s = at_s - (self.first_s or 0.0) - self.audio_s
        self.needed_prebuffer_s = max(self.needed_prebuffer_s, late_s)
        silent_s = at_s - self._dry_s
        if silent_s > LEAST_STALL_S:
            self.stalls_s.append(silent_s)
