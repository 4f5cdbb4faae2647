"""Cuts a text into segments; T3 speaks one segment in one go. Pure functions; knows nothing about
models.

A segment is a group of up to three whole sentences, at most `max_chars` long. A very short group
takes more sentences, because a model that is given one or two words babbles. A sentence longer
than `max_chars` is cut after a clause, else between words, else anywhere. T3 streams within a
segment, so the first group is short only to make its prefill cheap: no sentence that fits is cut
for that.
"""

import re
import unicodedata

from app.text.sentences import sentences
from app.text.spans import Replacement, Span, SpannedText
from app.text.word_breaks import last_break

MAX_CHARS = 280
FIRST_MAX_CHARS = 120
SHORT_CHARS = 24  # a shorter group takes a neighbouring sentence if that fits
SENTENCES_PER_SEGMENT = 3

# C0, DEL and C1, except those that str.split takes as white space; halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")  # as str.isalnum
_PARAGRAPH = re.compile(r"\n\s*\n")
# A long sentence may be cut after a clause mark and its space. CJK marks need no space.
_CLAUSE = re.compile(r"[,;:—–،؛][\"'”’)\]]*(?= )|[、，；：]")  # noqa: RUF001
_SPACE = re.compile(r"\s+")


def speakable(text: str) -> bool:
    """Whether the text has a letter or a digit of any script."""
    return _LETTER_OR_DIGIT.search(text) is not None


def normalise(text: str) -> str:
    """Removes control characters and makes every run of white space one space, none at the
    ends."""
    return " ".join(_CONTROL.sub("", text).split())


def segment(
    text: str,
    language: str | None = None,
    max_chars: int = MAX_CHARS,
    first_max_chars: int = FIRST_MAX_CHARS,
) -> tuple[str, ...]:
    """Normalised segments in order, each speakable and at most `max_chars` long.

    Only white space and control characters are lost between segments, with one exception: a piece
    without a letter or digit (a line of dashes) that fits into no neighbour is dropped, because a
    model that is asked to speak such a piece babbles.
    """
    spanned = SpannedText.of(text)
    return tuple(each.text for each in segments(spanned, language, max_chars, first_max_chars))


def segments(
    spanned: SpannedText,
    language: str | None = None,
    max_chars: int = MAX_CHARS,
    first_max_chars: int = FIRST_MAX_CHARS,
) -> list[SpannedText]:
    """The same of a text with positions."""
    paragraphs = _paragraphs(spanned)
    flat = SpannedText.joined(paragraphs)
    groups: list[Span] = []
    num_sentences = 0  # in the last group
    for piece in _pieces(paragraphs, language or "en", max_chars):
        said = speakable(flat.text[piece.start : piece.end])
        last = _stripped(flat.text, groups[-1]) if groups else ""
        silent_end = not said or not speakable(last)  # joins a neighbour
        short = bool(groups) and len(last) < SHORT_CHARS
        is_first = len(groups) == 1 and not (silent_end or short)
        cap = min(first_max_chars, max_chars) if is_first else max_chars
        joined = Span(groups[-1].start if groups else piece.start, piece.end)
        fits = bool(groups) and len(_stripped(flat.text, joined)) <= cap
        if fits and (silent_end or short or num_sentences < SENTENCES_PER_SEGMENT):
            groups[-1] = joined
            num_sentences += said
        else:
            groups.append(piece)
            num_sentences = int(said)
    spoken = [_strip(flat[group.start : group.end]) for group in groups]
    return _without_short_end([group for group in spoken if speakable(group.text)], max_chars)


def _paragraphs(spanned: SpannedText) -> list[SpannedText]:
    """Normalised, each with a space behind it."""
    plain = spanned.unlocked()
    controls = [Replacement(*each.span(), "") for each in _CONTROL.finditer(plain.text)]
    plain = plain.replaced(controls)
    borders = [each.span() for each in _PARAGRAPH.finditer(plain.text)]
    starts = [0, *(end for _, end in borders)]
    ends = [*(start for start, _ in borders), len(plain)]
    parts = [_strip(plain[a:b]) for a, b in zip(starts, ends, strict=True)]
    return [_spaced(part) for part in parts if len(part)]


def _spaced(text: SpannedText) -> SpannedText:
    runs = [Replacement(*each.span(), " ") for each in _SPACE.finditer(text.text) if each[0] != " "]
    return text.replaced([*runs, Replacement(len(text), len(text), " ")])


def _strip(text: SpannedText) -> SpannedText:
    start = len(text) - len(text.text.lstrip())
    return text[start : start + len(text.text.strip())]


def _stripped(text: str, group: Span) -> str:
    return text[group.start : group.end].strip()


def _without_short_end(groups: list[SpannedText], max_chars: int) -> list[SpannedText]:
    *before, last = groups or [SpannedText.of("")]
    if before and len(last) < SHORT_CHARS and len(before[-1]) + 1 + len(last) <= max_chars:
        end = len(before[-1])
        spaced = before[-1].replaced([Replacement(end, end, " ")])
        return [*before[:-1], SpannedText.joined([spaced, last])]
    return groups


def _pieces(paragraphs: list[SpannedText], language: str, max_chars: int) -> list[Span]:
    """Sentences, each with the space after it, if any. Sentences over the cap are cut."""
    pieces: list[Span] = []
    at = 0
    for paragraph in paragraphs:
        for sentence in sentences(paragraph.text, language):
            for piece in _cut(sentence, max_chars):
                pieces.append(Span(at, at + len(piece)))
                at += len(piece)
    return pieces


def _cut(sentence: str, max_chars: int) -> list[str]:
    pieces: list[str] = []
    while len(sentence.rstrip()) > max_chars:
        end = cut_at(sentence, max_chars)
        end += sentence[end] == " "
        pieces.append(sentence[:end])
        sentence = sentence[end:]
    return [*pieces, sentence]


def cut_at(sentence: str, max_chars: int) -> int:
    """The best place to cut, 1..max_chars: after a late clause, at a space, or before a whole
    character."""
    clauses = [match.end() for match in _CLAUSE.finditer(sentence, 0, max_chars + 1)]
    late = [end for end in clauses if max_chars // 3 <= end <= max_chars]
    if late:
        return late[-1]
    space = sentence.rfind(" ", 1, max_chars + 1)
    if space < max_chars // 3 and (end := last_break(sentence, max_chars)) is not None:
        return end
    if space > 0:
        return space
    end = max_chars
    while end > 1 and unicodedata.combining(sentence[end]):
        end -= 1
    return end if end > 1 else max_chars
