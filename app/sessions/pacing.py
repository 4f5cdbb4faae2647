"""The playback of one stream by a listener who plays it as it comes: how far the sound that was
sent is ahead, and when the listener ran out of audio. Knows nothing about chunks or waiting."""

from collections.abc import Callable


class Playback:
    """Times are seconds on the injected clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.num_underruns = 0  # how often the listener ran out of audio before more came
        self.stalled_s = 0.0  # how long the listener then waited, in all
        self._now = now
        self._sent_s = 0.0
        self._first_s: float | None = None  # when the first sound was sent
        self._runs_dry_s = 0.0  # when all sound that was sent will have been played

    def sent(self, audio_s: float) -> None:
        """`audio_s` seconds of sound have just been sent."""
        now = self._now()
        if self._first_s is None:
            self._first_s = self._runs_dry_s = now
        if now > self._runs_dry_s:
            self.num_underruns += 1
            self.stalled_s += now - self._runs_dry_s
        self._runs_dry_s = max(now, self._runs_dry_s) + audio_s
        self._sent_s += audio_s

    def wait_s(self, audio_s: float, ahead_s: float) -> float:
        """How long the next `audio_s` seconds must wait before they are sent; 0 or less: not at
        all. Afterwards at most `ahead_s` seconds are ahead of the listener, who never has less
        than half of that."""
        if self._first_s is None:
            return 0.0
        left_s = self._sent_s - (self._now() - self._first_s)
        return min(left_s + audio_s - ahead_s, left_s - ahead_s / 2)
