"""Captions of a speech, WebVTT and SubRip, from the times of its words. Pure; knows nothing about
sessions."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from app.spoken_words import SpokenWord, Transcript

MAX_LINE_CHARS = 42  # of a caption's line, and
MAX_LINES = 2  # of its lines: the common rule of subtitles
MAX_CAPTION_MS = 7000.0
GAP_MS = 700.0  # a pause that ends a caption
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")  # noqa: RUF001
_CLOSING = "\"'”’)]»」』"  # noqa: RUF001 - stands behind the mark that ends a sentence
ESTIMATED = "NOTE The times are estimated from the length of the text."

Cue = Sequence[SpokenWord]


def vtt(transcript: Transcript) -> str:
    note = [ESTIMATED] if transcript.is_estimate else []
    cues = [
        f"{_span(cue, transcript, '.')}\n{_escaped(_lines(cue, transcript.text))}"
        for cue in cues_of(transcript)
    ]
    return "\n\n".join(["WEBVTT", *note, *cues]) + "\n"


def srt(transcript: Transcript) -> str:
    cues = (
        f"{number}\n{_span(cue, transcript, ',')}\n{_lines(cue, transcript.text)}\n"
        for number, cue in enumerate(cues_of(transcript), 1)
    )
    return "\n".join(cues)


def cues_of(transcript: Transcript) -> list[list[SpokenWord]]:
    """The words of each caption: at most two lines and seven seconds, and no longer than a
    sentence."""
    cues: list[list[SpokenWord]] = []
    for word in transcript.words:
        if not cues or not _fits(cues[-1], word, transcript.text):
            cues.append([])
        cues[-1].append(word)
    return cues


def _fits(cue: Cue, word: SpokenWord, text: str) -> bool:
    last = cue[-1]
    if last.text.rstrip(_CLOSING).endswith(_SENTENCE_ENDS):
        return False
    if word.start_ms - _end_ms(last) > GAP_MS or _end_ms(word) - cue[0].start_ms > MAX_CAPTION_MS:
        return False
    return len(_wrapped([*cue, word], text)) <= MAX_LINES


def _lines(cue: Cue, text: str) -> str:
    return "\n".join(_wrapped(cue, text))


def _wrapped(cue: Cue, text: str) -> list[str]:
    """A word that is longer than a line has a line of its own."""
    lines = [""]
    for before, part in _parts(cue, text):
        if lines[-1] and len(lines[-1] + before + part) > MAX_LINE_CHARS:
            lines.append(part)
        else:
            lines[-1] += (before if lines[-1] else "") + part
    return lines


def _parts(cue: Cue, text: str) -> Iterator[tuple[str, str]]:
    """Each word on one line, with the space before it, if the caller's text has one there."""
    yield "", _flat(cue[0].text)
    for one, other in pairwise(cue):
        yield " " if text[one.char_end : other.char_start] else "", _flat(other.text)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _span(cue: Cue, transcript: Transcript, point: str) -> str:
    end_ms = min(_end_ms(cue[-1]), transcript.audio_ms)  # the sound of the last may have been cut
    return f"{_stamp(cue[0].start_ms, point)} --> {_stamp(end_ms, point)}"


def _end_ms(word: SpokenWord) -> float:
    return word.start_ms if word.end_ms is None else word.end_ms


def _stamp(at_ms: float, point: str) -> str:
    seconds, ms = divmod(round(at_ms), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
