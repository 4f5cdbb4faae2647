"""Tells each word of a session once and in order, for clients that take no correction.

WordClock tells a word again when its times are better. Here a word waits until it need not be told
again, but not longer than until its sound is sent. Pure. Knows nothing about protocols.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate, pairwise

from app.sessions.word_clock import WordClock
from app.spoken_words import SpokenWord


class SettledWords:
    """Of one session. Takes the news of its clock: nobody else may."""

    def __init__(self, clock: WordClock) -> None:
        self._clock = clock
        self._of_clock = {place: number for number, place in enumerate(clock.places)}
        self._places = tuple(self._of_clock)
        self._number = {place: number for number, place in enumerate(self._places)}
        self._known: dict[int, SpokenWord] = {}  # by number; not told yet
        self._num_told = 0
        self._end_ms = clock.begins_ms  # of the word that was told last

    def news(self, until_ms: float, *, is_last: bool = False) -> list[SpokenWord]:
        """The words that are to be told with the sound up to `until_ms`. All have both times, and
        no word begins before the one before it ends. `is_last`: no more sound comes; the words
        whose sound was cut get an estimated end."""
        news = self._clock.news()
        self._refresh_estimates()
        if is_last:
            news += self._clock.until(until_ms).words
        for word in news:
            number = self._number[word.char_start, word.char_end]
            if number >= self._num_told:
                self._known[number] = word
        return list(self._due(until_ms))

    def _refresh_estimates(self) -> None:
        """The clock forgets those of a segment once the model marks a word in it."""
        for number, word in list(self._known.items()):
            if word.is_estimate:
                del self._known[number]
                fresh = self._clock.word(self._of_clock[self._places[number]])
                if fresh is not None:
                    self._known[number] = fresh

    def _due(self, until_ms: float) -> Iterator[SpokenWord]:
        while self._known:
            number = min(self._known)
            word = self._known[number]
            if not _is_settled(word, until_ms):
                return
            del self._known[number]
            yield from self._skipped(number, word.start_ms)
            yield self._told(word)
            self._num_told = number + 1

    def _skipped(self, end: int, end_ms: float) -> Iterator[SpokenWord]:
        """The words before number `end` that the model has not marked share the time before it."""
        places = self._places[self._num_told : end]
        lengths = [stop - start + 1 for start, stop in places]
        per_char = max(0.0, end_ms - self._end_ms) / max(1, sum(lengths))
        borders = [self._end_ms + per_char * num for num in accumulate(lengths, initial=0)]
        for place, (start_ms, stop_ms) in zip(places, pairwise(borders), strict=True):
            text = self._clock.text[slice(*place)]
            times = round(start_ms, 3), round(stop_ms, 3)
            yield self._told(SpokenWord(text, *place, *times, is_estimate=True))

    def _told(self, word: SpokenWord) -> SpokenWord:
        start_ms = max(word.start_ms, self._end_ms)
        self._end_ms = max(word.end_ms or 0.0, start_ms)
        return replace(word, start_ms=start_ms, end_ms=self._end_ms)


def _is_settled(word: SpokenWord, until_ms: float) -> bool:
    """An estimate is not told before its sound: the model may still mark the word."""
    return word.end_ms is not None and (not word.is_estimate or word.start_ms < until_ms)
