"""What a model gets of a text: the segments, the words with their places in the caller's text, and
what was left out.

The text is rewritten step by step; each step is a function that names replacements, and the
positions survive all of them. Pure; knows nothing about requests or models: what the model can
read comes as plain values.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from app.errors import BadRequest
from app.text import characters, ssml
from app.text.blocks import blocks
from app.text.html_tags import html_tags
from app.text.markdown import stray_marks, without_markdown
from app.text.pronouncer import pronouncer
from app.text.pronunciations import Pronunciation, check_growth
from app.text.segments import FIRST_MAX_CHARS, MAX_CHARS, segments
from app.text.spans import Replacement, SpannedText
from app.text.spoken.forms import replacements as spoken_forms
from app.text.tags import tags, without_reasoning
from app.text.words import Word, spans_of, words_of
from app.word_marks import WordSpan

MAX_PAUSES_S = 60.0  # in one text

Normalise = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True)
class TextRules:
    """How texts are read, and what their model can read."""

    language: str | None = None
    normalise: Normalise = "auto"
    strip_markdown: bool = False  # reasoning blocks are left out too
    strip_emoji: bool = False
    pronunciations: tuple[Pronunciation, ...] = ()
    max_segment_chars: int = MAX_CHARS
    first_max_chars: int = FIRST_MAX_CHARS
    characters: str | None = None  # that the model can read; None: all
    folds_characters: bool = False  # its front end writes small letters without accents
    tags: tuple[str, ...] = ()  # of the model, without brackets
    is_ssml: bool | None = None  # None: a text that begins as an SSML document is one


@dataclass(frozen=True, slots=True)
class Dropped:
    """Characters of the caller's text that are not spoken. `reason`: emoji, unreadable, tag or
    reasoning."""

    text: str
    start: int
    end: int
    reason: str


@dataclass(frozen=True, slots=True)
class SpokenText:
    """`pauses_s[i]` is the silence before segment i; the last entry is the silence at the end."""

    segments: tuple[str, ...]
    pauses_s: tuple[float, ...]
    words: tuple[tuple[Word, ...], ...] = ()  # of each segment
    dropped: tuple[Dropped, ...] = ()
    spans: tuple[tuple[WordSpan, ...], ...] = ()  # of the same words, in the text of their segment

    @property
    def num_chars(self) -> int:
        return sum(map(len, self.segments))

    @property
    def num_dropped_chars(self) -> int:
        return sum(each.end - each.start for each in self.dropped)


def plan_text(text: str, rules: TextRules) -> SpokenText:
    """A text with nothing to speak has no segments. Raises BadRequest for markup that cannot be
    read, and for a text of which the model can read nothing."""
    rewriting = _Rewriting(text)
    pauses_s = _rewrite(rewriting, rules)
    if sum(pauses_s) > MAX_PAUSES_S:
        message = f"input: the pauses of a text may add up to at most {MAX_PAUSES_S:g} s"
        raise BadRequest(message, param="input")
    spoken = _segmented(rewriting, pauses_s, rules)
    is_unreadable = any(each.reason == characters.UNREADABLE for each in spoken.dropped)
    if not spoken.segments and is_unreadable:
        message = "input: the model can read no letter of this text"
        raise BadRequest(message, param="input", code="unsupported_characters")
    return spoken


def load_languages(languages: Iterable[str]) -> None:
    """Loads the libraries that read these languages, English where there are none. The first text
    then need not wait for them, 0.1 to 2 s."""
    for language in tuple(languages) or ("en",):
        plan_text("5 km, 2026-11-30, $2.50.", TextRules(language))


class _Rewriting:
    """A text on its way through the steps."""

    def __init__(self, text: str) -> None:
        self.original = text
        self.text = SpannedText.of(text)
        self.dropped: list[Dropped] = []

    def apply(self, replacements: Iterable[Replacement]) -> None:
        replacements = list(replacements)
        if not replacements:
            return
        for each in replacements:
            if each.dropped is not None:
                start, end = self.text.span(each.start, each.end)
                self.dropped.append(Dropped(self.original[start:end], start, end, each.dropped))
        self.text = self.text.replaced(replacements)


def _rewrite(now: _Rewriting, rules: TextRules) -> list[float]:
    """The pauses, one for each PAUSE of the rewritten text."""
    language = rules.language or "en"
    if rules.strip_markdown:
        now.apply(without_reasoning(now.text.text))
    markup = ssml.read_ssml(now.text.text, language, is_ssml=rules.is_ssml)
    now.apply(markup.replacements)
    if rules.strip_markdown:
        now.apply(without_markdown(now.text.text))
        now.apply(stray_marks(now.text.text))
        now.apply(html_tags(now.text.text))
    now.apply(tags(now.text.text, rules.tags))
    if rules.strip_emoji or rules.characters is not None:
        now.apply(characters.without_emoji(now.text.text))
    now.apply(characters.folded(now.text.text))
    now.apply(blocks(now.text.text, language))
    unpronounced = now.text.text
    now.apply(pronouncer(rules.pronunciations, language).replacements(unpronounced))
    check_growth(unpronounced, now.text.text)
    if rules.normalise != "off":
        now.apply(spoken_forms(now.text.text, language))
    if rules.characters is not None:
        readable = _as_set(rules.characters)
        now.text = now.text.unlocked()  # a model that has tags reads every character
        now.apply(
            characters.readable(
                now.text.text, readable, rules.language, folds=rules.folds_characters
            )
        )
    return markup.pauses_s


@lru_cache(maxsize=4)
def _as_set(characters: str) -> frozenset[str]:
    return frozenset(characters)


def _segmented(now: _Rewriting, marks_s: list[float], rules: TextRules) -> SpokenText:
    found: list[SpannedText] = []
    pauses_s = [0.0]
    at = 0
    for part, mark_s in zip(now.text.text.split(ssml.PAUSE), [*marks_s, 0.0], strict=True):
        first_max = rules.max_segment_chars if found else rules.first_max_chars
        spanned = now.text[at : at + len(part)]
        at += len(part) + 1
        new = segments(spanned, rules.language, rules.max_segment_chars, first_max)
        found += new
        pauses_s += [0.0] * len(new)
        pauses_s[-1] += mark_s
    said = tuple(each.text for each in found)
    spans = spans_of(found)
    words = words_of(found, spans)
    return SpokenText(said, tuple(pauses_s), words, tuple(now.dropped), spans)
