"""What a model gets of a text, as `POST /v1/audio/speech/plan` answers."""

import string
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any


@dataclass(frozen=True, slots=True)
class PlannedSegment:
    text: str
    pause_before_s: float
    words: list[dict[str, Any]]  # text, start and end in the caller's text

    def said_otherwise(self, text: str) -> Iterator[tuple[str, str]]:
        """Each written form whose words are others, with them."""
        for (start, end), words in groupby(self.words, lambda word: (word["start"], word["end"])):
            written, said = text[start:end], " ".join(word["text"] for word in words)
            if _bare(written) != _bare(said):
                yield written, said


@dataclass(frozen=True, slots=True)
class Plan:
    segments: tuple[PlannedSegment, ...]
    pause_after_s: float
    dropped: list[dict[str, Any]]  # text, start, end, reason

    def lines(self, text: str) -> Iterator[str]:
        """For a person at a terminal."""
        for segment in self.segments:
            if segment.pause_before_s:
                yield f"(pause of {segment.pause_before_s:g} s)"
            yield segment.text
            for written, said in segment.said_otherwise(text):
                yield f"    {written!r} is said as {said!r}"
        if self.pause_after_s:
            yield f"(pause of {self.pause_after_s:g} s)"
        for dropped in self.dropped:
            yield f"left out: {dropped['text']!r} ({dropped['reason']})"


def plan_of(body: dict[str, Any]) -> Plan:
    segments = tuple(PlannedSegment(**segment) for segment in body["segments"])
    return Plan(segments, body["pause_after_s"], body["dropped"])


def _bare(words: str) -> str:
    """Without the marks around it."""
    return words.strip(string.punctuation + string.whitespace)
