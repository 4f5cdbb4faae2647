"""The words of a context over all of its takes, on the clock of its one stream of sound."""

from collections import deque

from app.core import SAMPLE_RATE
from app.sessions.word_clock import WordClock
from app.spoken_words import SpokenWord, Transcript

MAX_WORDS = 20_000  # of one context; beyond it the first are forgotten: two hours of speech


class ContextWords:
    def __init__(self, speed: float, delay_s: float) -> None:
        """`delay_s`: silence that the encoder puts before the first sample."""
        self.speed = speed
        self._delay_s = delay_s
        self._num_samples = 0  # of the sound that was encoded, with pauses
        self._earlier: deque[SpokenWord] = deque(maxlen=MAX_WORDS)
        self._take: WordClock | None = None

    @property
    def begins_s(self) -> float:
        """Where the next take begins, as it is heard."""
        return self._num_samples / SAMPLE_RATE / self.speed

    def begin(self, take: WordClock) -> None:
        self._take = take

    def encoded(self, num_samples: int) -> None:
        self._num_samples += num_samples

    def end(self) -> None:
        """The take has ended."""
        if self._take is not None:
            self._earlier.extend(self._take.until(self.begins_s * 1e3 + self._delay_ms).words)
        self._take = None

    def transcript(self, text: str, sent_s: float) -> Transcript:
        """`sent_s`: of the sound that was sent, as it is heard."""
        sent_ms = round(sent_s * 1e3 + self._delay_ms, 3) if sent_s else 0.0
        words = [word for word in self._earlier if word.start_ms < sent_ms]
        if self._take is not None:
            words += self._take.until(sent_ms).words
        return Transcript(text, tuple(words), sent_ms)

    @property
    def _delay_ms(self) -> float:
        return self._delay_s * 1e3
