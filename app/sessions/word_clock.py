"""Places the words of a session on the clock of its decoded sound.

The vocoder counts samples of the sound that it makes. The listener hears them after the pauses,
`speed` times as fast, and after the silence that the encoder puts before the first sample. Pure.
Knows nothing about codecs, transports or the registry.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise

from app.core import SAMPLE_RATE, SAMPLES_PER_TOKEN, AudioChunk, FinishReason
from app.spoken_words import SpokenWord, Transcript
from app.text.duration import predicted_s
from app.word_marks import LEAST_TOKENS, WordTime

Place = tuple[int, int]  # start and end in the caller's text
Places = Sequence[Sequence[Place]]  # of the words of each segment
_WordKey = tuple[int, int]  # segment and word
_Span = tuple[int, int]  # samples of the session
LEAST = round(LEAST_TOKENS * SAMPLES_PER_TOKEN)  # samples that a word lasts


@dataclass(frozen=True, slots=True)
class SoundClock:
    """The clock of one session's sound. `pauses_s` and `speed`: as in SynthesisRequest."""

    pauses_s: tuple[float, ...] = ()
    speed: float = 1.0
    delay_s: float = 0.0  # silence that the encoder puts before the first sample
    begins_s: float = 0.0  # where the session's sound begins in its stream, as it is heard

    def ms(self, sample: float, segment: int, *, is_end: bool = False) -> float:
        """When a sample of the segment is heard. `is_end`: the pause at the end is over."""
        pauses_s = sum(self.pauses_s if is_end else self.pauses_s[: segment + 1])
        heard_s = (sample / SAMPLE_RATE + pauses_s) / self.speed
        return round((self.begins_s + heard_s + self.delay_s) * 1e3, 3)


class WordClock:
    """Of one session. `add` takes its chunks in order; `news` gives what is to be told with the
    last of them."""

    def __init__(self, text: str, places: Places, clock: SoundClock) -> None:
        """`places` are those of the words that the session's request names, in `text`."""
        self.text = text
        self._clock = clock
        self._places = places
        self._written = _written(places)
        self._number = {key: num for num, (_, keys) in enumerate(self._written) for key in keys}
        self._times: dict[_WordKey, WordTime] = {}
        self._guesses: dict[_WordKey, WordTime] = {}  # of the open segment, until one is marked
        self._open: _Span | None = None  # of the segment whose sound comes now
        self._segment = 0
        self._spoken = (0, 0)  # samples and characters of the segments that are complete
        self._told: dict[Place, SpokenWord] = {}
        self._changed: set[int] = set()  # numbers of written words whose times are new
        self._is_file = False

    @property
    def places(self) -> list[Place]:
        """Of the written words, in order. A word's number is its place in this list."""
        return [place for place, _ in self._written]

    @property
    def begins_ms(self) -> float:
        """Where the sound of the session begins."""
        return round((self._clock.begins_s + self._clock.delay_s) * 1e3, 3)

    def as_file(self) -> None:
        """The sound is sent at its end, in one piece."""
        self._is_file = True

    def add(self, chunk: AudioChunk) -> None:
        for time in chunk.words:
            self._set(time)
        if len(chunk.pcm):
            if chunk.segment != self._segment:
                self._complete()
            self._segment = chunk.segment
            if self._open is None:
                self._open = chunk.start, chunk.start
                self._guess()
            self._open = self._open[0], chunk.start + len(chunk.pcm)
        if chunk.words:
            self._guesses.clear()
        if chunk.finish is FinishReason.STOP:
            self._complete()

    def news(self) -> list[SpokenWord]:
        """The words that are new, or whose times are, since the last call."""
        words = [self.word(num) for num in sorted(self._changed)]
        self._changed.clear()
        news = [word for word in words if word and self._told.get(_place(word)) != word]
        self._told.update((_place(word), word) for word in news)
        return news

    def transcript(self, num_samples: int, *, is_end: bool) -> Transcript:
        """Of a session that has ended. `num_samples` of it were sent. `is_end`: they are all, and
        the pause at the end was sent too."""
        if not num_samples or (self._is_file and not is_end):
            return self.until(0.0)
        return self.until(self._clock.ms(num_samples, self._segment, is_end=is_end))

    def until(self, audio_ms: float) -> Transcript:
        """What was said, where the sound up to `audio_ms` was sent."""
        words = map(self.word, range(len(self._written)))
        sent = (word for word in words if word and word.start_ms < audio_ms)
        return Transcript(self.text, tuple(map(self._ended, sent)), audio_ms)

    def word(self, num: int) -> SpokenWord | None:
        """None: its times are not known."""
        place, keys = self._written[num]
        known = (self._times.get(key, self._guesses.get(key)) for key in keys)
        times = [time for time in known if time is not None]
        if not times:
            return None
        first, last = times[0], times[-1]
        is_open = last.end is None or len(times) < len(keys)
        return SpokenWord(
            self.text[slice(*place)],
            *place,
            self._clock.ms(first.start, first.segment),
            None if is_open else self._clock.ms(last.end or 0, last.segment),
            any(time.is_estimate for time in times),
        )

    def _set(self, time: WordTime) -> None:
        key = (time.segment, time.word)
        self._times[key] = time
        if key in self._number:
            self._changed.add(self._number[key])

    def _complete(self) -> None:
        """All sound of the open segment is there: its words get the times that they lack."""
        if self._open is None:
            return
        begin, end = self._open
        for estimate in self._spread(begin, end):
            known = self._times.get((estimate.segment, estimate.word))
            self._set(estimate if known is None else replace(known, end=estimate.end))
        keys = [(self._segment, word) for word in range(self._num_words)]
        for time in lasting([self._times[key] for key in keys], begin, end):
            self._set(time)
        num_samples, num_chars = self._spoken
        self._spoken = num_samples + end - begin, num_chars + self._num_chars
        self._guesses.clear()
        self._open = None

    def _guess(self) -> None:
        """The open segment begins, and its length is not known. Its words are told with its first
        sound where the model has marked none of them."""
        assert self._open is not None
        words = range(self._num_words)
        if any((self._segment, word) in self._times for word in words):
            return
        begin = self._open[0]
        guesses = self._shares(words, begin, begin + self._predicted_samples())
        self._guesses = {(time.segment, time.word): time for time in guesses}
        self._changed.update(self._number[key] for key in self._guesses)

    def _predicted_samples(self) -> float:
        """How long the open segment is, if its words take as long as those before it."""
        num_samples, num_chars = self._spoken
        if not num_chars:
            return predicted_s(self._num_chars) * SAMPLE_RATE
        return num_samples / num_chars * self._num_chars

    @property
    def _num_words(self) -> int:
        """Of the open segment."""
        return len(self._places[self._segment]) if self._segment < len(self._places) else 0

    def _spread(self, begin: float, end: float) -> Iterator[WordTime]:
        """Of the open segment, which sounds from `begin` to `end`. Words without times share the
        sound between their neighbours by their lengths."""
        waiting: list[int] = []
        for word in range(self._num_words):
            time = self._times.get((self._segment, word))
            if time is not None:
                yield from self._shares(waiting, begin, time.start)
                begin = time.start if time.end is None else time.end
                waiting = [word] if time.end is None else []
            else:
                waiting.append(word)
        yield from self._shares(waiting, begin, end)

    @property
    def _num_chars(self) -> int:
        """Of the open segment."""
        return sum(map(self._length, range(self._num_words)))

    def _shares(self, words: Sequence[int], begin: float, end: float) -> Iterator[WordTime]:
        lengths = [self._length(word) for word in words]
        per_char = max(0.0, end - begin) / max(1, sum(lengths))
        borders = [round(begin + per_char * num) for num in accumulate(lengths, initial=0)]
        for word, (start, stop) in zip(words, pairwise(borders), strict=True):
            yield WordTime(self._segment, word, start, stop, is_estimate=True)

    def _length(self, word: int) -> int:
        """In characters, with a space. What is said for `$5` is not known here."""
        start, end = self._places[self._segment][word]
        return end - start + 1

    def _ended(self, word: SpokenWord) -> SpokenWord:
        """The sound stopped before the model had drawn the end of the word."""
        if word.end_ms is not None:
            return word
        length_s = predicted_s(len(word.text)) / self._clock.speed
        return replace(word, end_ms=round(word.start_ms + length_s * 1e3, 3), is_estimate=True)


def lasting(times: Sequence[WordTime], begin: int, end: int) -> Iterator[WordTime]:
    """The words of the sound from `begin` to `end`, all with ends, in reverse order. None overlaps
    the next, and each lasts LEAST, or less where they have no room: the model may have skipped a
    word, and says nothing between its neighbours."""
    least = min(LEAST, (end - begin) // max(1, len(times)))
    at = begin
    pushed = []
    for num, time in enumerate(times, 1):
        until = end if num == len(times) else times[num].start
        start = max(time.start, at)
        at = max(min(time.end or until, until), start + least)
        pushed.append(replace(time, start=start, end=at))
    at = end
    for time in reversed(pushed):
        stop = min(time.end or at, at)
        at = min(time.start, stop - least)
        yield replace(time, start=at, end=stop)


def _place(word: SpokenWord) -> Place:
    return word.char_start, word.char_end


def _written(places: Places) -> list[tuple[Place, list[_WordKey]]]:
    """Each place with the words that are said for it, in order."""
    words = (
        ((segment, word), place)
        for segment, of_segment in enumerate(places)
        for word, place in enumerate(of_segment)
    )
    groups = groupby(words, key=lambda item: item[1])
    return [(place, [key for key, _ in items]) for place, items in groups]
