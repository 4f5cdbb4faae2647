"""The playback of one stream by a listener who plays it as it comes: how far the sound that was
taken is ahead, and when the listener ran out of audio. All times are the listener's: a second of
sound at half speed is two. Knows nothing about chunks, transports or waiting."""

from collections.abc import Callable


class Playback:
    """Times are seconds on the injected clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.num_underruns = 0  # how often the listener ran out of audio before more came
        self.stalled_s = 0.0  # how long the listener then waited, in all
        self._now = now
        self._runs_dry_s: float | None = None  # when all sound that was taken will be played

    def taken(self, audio_s: float) -> None:
        """The transport has taken `audio_s` seconds of sound just now."""
        now = self._now()
        if self._runs_dry_s is None:
            self._runs_dry_s = now
        if now > self._runs_dry_s:
            self.num_underruns += 1
            self.stalled_s += now - self._runs_dry_s
        self._runs_dry_s = max(now, self._runs_dry_s) + audio_s

    def wait_s(self, audio_s: float, ahead_s: float) -> float:
        """How long the next `audio_s` seconds must wait before they are handed over; 0 or less: not
        at all. Afterwards at most `ahead_s` seconds are ahead of the listener, who never has less
        than half of that."""
        if self._runs_dry_s is None:
            return 0.0
        left_s = self._runs_dry_s - self._now()
        return min(left_s + audio_s - ahead_s, left_s - ahead_s / 2)
