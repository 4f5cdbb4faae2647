"""The playback of one stream by a listener who plays it as it comes, the first of it when told to:
how far the sound that was taken is ahead, and when the listener ran out of audio. All times are the
listener's: a second of sound at half speed is two. Knows nothing about chunks, transports or
waiting."""

from collections.abc import Callable


class Playback:
    """Times are seconds on the injected clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.num_underruns = 0  # how often the listener ran out of audio before more came
        self.stalled_s = 0.0  # how long the listener then waited, in all
        self._now = now
        self._runs_dry_s: float | None = None  # when all sound that was taken will be played
        self._prebuffer_s = 0.0  # how long the listener was told to wait

    def taken(self, audio_s: float, prebuffer_s: float = 0.0) -> None:
        """The transport has taken `audio_s` seconds of sound just now. `prebuffer_s`: how long a
        listener who has nothing else to play waits before it plays them."""
        now = self._now()
        begins_s = now + prebuffer_s
        self._prebuffer_s = max(self._prebuffer_s, prebuffer_s)
        dry_s = begins_s if self._runs_dry_s is None else self._runs_dry_s
        if now > dry_s:
            self.num_underruns += 1
            self.stalled_s += now - dry_s
        self._runs_dry_s = max(begins_s, dry_s) + audio_s

    @property
    def left_s(self) -> float:
        """How long the sound that was taken still plays."""
        return 0.0 if self._runs_dry_s is None else max(0.0, self._runs_dry_s - self._now())

    def wait_s(self, audio_s: float, ahead_s: float) -> float:
        """How long the next `audio_s` seconds must wait before they are handed over; 0 or less: not
        at all. Afterwards at most `ahead_s` seconds are ahead of a listener who plays at once, and
        who never has less than half of that: sound that is there is not kept from a listener who
        does not wait as told."""
        if self._runs_dry_s is None:
            return 0.0
        left_s = self._runs_dry_s - self._prebuffer_s - self._now()
        return min(left_s + audio_s - ahead_s, left_s - ahead_s / 2)
