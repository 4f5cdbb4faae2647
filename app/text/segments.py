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

import sentencex

MAX_CHARS = 280
FIRST_MAX_CHARS = 120
SHORT_CHARS = 24  # a shorter group takes a neighbouring sentence if that fits
SENTENCES_PER_SEGMENT = 3

# C0, DEL and C1, except those that str.split takes as white space; halves of surrogate pairs.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_PARAGRAPH = re.compile(r"\n\s*\n")
# A long sentence may be cut after a clause mark and its space. CJK marks need no space.
_CLAUSE = re.compile(r"[,;:—–،؛][\"'”’)\]]*(?= )|[、，；：]")  # noqa: RUF001
# Titles; the segmenter takes their period for the end of a sentence.
_TITLES = {
    "es": ("D", "Dña"),
    "fi": ("Tri",),
    "fr": ("M", "MM", "Mme", "Mlle", "Dr", "Pr", "Me", "Mgr"),
    "it": ("Sig", "Sig.ra", "Dott", "Dott.ssa", "Prof", "Ing", "Avv"),
    "nl": ("Dhr", "Mevr"),
    "pl": ("dr", "prof", "mgr", "inż"),
    "tr": ("Sn",),
}
_TITLE_AT_END = {
    language: re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, titles))})\. ?$")
    for language, titles in _TITLES.items()
}


def speakable(text: str) -> bool:
    """Whether the text has a letter or a digit of any script."""
    return any(char.isalnum() for char in text)


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
    groups: list[str] = []
    num_sentences = 0  # in the last group
    for piece in _pieces(text, language or "en", max_chars):
        said = speakable(piece)
        silent_end = not said or not (groups and speakable(groups[-1]))  # joins a neighbour
        short = bool(groups) and len(groups[-1].strip()) < SHORT_CHARS
        is_first = len(groups) == 1 and not (silent_end or short)
        cap = min(first_max_chars, max_chars) if is_first else max_chars
        fits = bool(groups) and len((groups[-1] + piece).strip()) <= cap
        if fits and (silent_end or short or num_sentences < SENTENCES_PER_SEGMENT):
            groups[-1] += piece
            num_sentences += said
        else:
            groups.append(piece)
            num_sentences = int(said)
    spoken = [group.strip() for group in groups if speakable(group)]
    return _without_short_end(spoken, max_chars)


def _without_short_end(groups: list[str], max_chars: int) -> tuple[str, ...]:
    *before, last = groups or [""]
    if before and len(last) < SHORT_CHARS and len(before[-1]) + 1 + len(last) <= max_chars:
        return (*before[:-1], f"{before[-1]} {last}")
    return tuple(groups)


def _pieces(text: str, language: str, max_chars: int) -> list[str]:
    """Sentences, each with the space after it, if any. Sentences over the cap are cut."""
    pieces: list[str] = []
    for paragraph in _PARAGRAPH.split(text.replace("\r\n", "\n")):
        for sentence in sentences(normalise(paragraph) + " ", language):
            pieces += _cut(sentence, max_chars)
    return pieces


def sentences(text: str, language: str) -> list[str]:
    """The sentences in order. Joined, they are the text."""
    title = _TITLE_AT_END.get(language)
    found: list[str] = []
    for sentence in sentencex.segment(language, text):
        if found and title is not None and title.search(found[-1]):
            found[-1] += sentence
        else:
            found.append(sentence)
    return found


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
    if space > 0:
        return space
    end = max_chars
    while end > 1 and unicodedata.combining(sentence[end]):
        end -= 1
    return end if end > 1 else max_chars
