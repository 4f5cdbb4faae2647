"""The words of a context over all of its takes, on the clock of its one stream of sound."""

from collections import deque

from app.core import SAMPLE_RATE, FinishReason
from app.sessions.settled_words import SettledWords
from app.sessions.word_clock import WordClock
from app.spoken_words import SpokenWord, Transcript

MAX_WORDS = 20_000  # of one context; beyond it the first are forgotten: two hours of speech


class ContextWords:
    def __init__(self, speed: float, delay_s: float, *, is_once: bool = False) -> None:
        """`delay_s`: silence that the encoder puts before the first sample. `is_once`: each word is
        told once, with both its times."""
        self.speed = speed
        self._delay_s = delay_s
        self._num_samples = 0  # of the sound that was encoded, with pauses
        self._earlier: deque[SpokenWord] = deque(maxlen=MAX_WORDS)
        self._take: WordClock | None = None
        self._is_once = is_once
        self._settled: SettledWords | None = None  # of the take

    @property
    def begins_s(self) -> float:
        """Where the next take begins, as it is heard."""
        return self._num_samples / SAMPLE_RATE / self.speed

    def begin(self, take: WordClock) -> None:
        self._take = take
        self._settled = SettledWords(take) if self._is_once else None

    def encoded(self, num_samples: int) -> None:
        self._num_samples += num_samples

    def news(self, finish: FinishReason | None) -> list[SpokenWord]:
        """What is to be told with the sound that was encoded last. `finish`: of its chunk."""
        if self._take is None:
            return []
        if self._settled is None:
            return self._take.news()
        is_last = finish is not None and finish.is_complete
        return self._settled.news(self._encoded_ms, is_last=is_last)

    def end(self) -> None:
        """The take has ended."""
        if self._take is not None:
            self._earlier.extend(self._take.until(self._encoded_ms).words)
        self._take = None

    def transcript(self, text: str, sent_s: float) -> Transcript:
        """`sent_s`: of the sound that was sent, as it is heard."""
        sent_ms = round(sent_s * 1e3 + self._delay_ms, 3) if sent_s else 0.0
        words = [word for word in self._earlier if word.start_ms < sent_ms]
        if self._take is not None:
            words += self._take.until(sent_ms).words
        return Transcript(text, tuple(words), sent_ms)

    @property
    def _encoded_ms(self) -> float:
        return self.begins_s * 1e3 + self._delay_ms

    @property
    def _delay_ms(self) -> float:
        return self._delay_s * 1e3
