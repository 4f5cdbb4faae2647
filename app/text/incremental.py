"""Cuts text that arrives in pieces, as a language model writes it, into takes to speak.

The first take is the first clause that is long enough, so that speech starts early. Later takes
are whole sentences, and the number of sentences per take grows. The takes depend on the text
alone: a text cut into any pieces gives the same takes, and the takes have the words of the whole
text. The joined takes are the text, except for white space, reasoning that is left out, and markup
that is open where a take begins: the take repeats it. Pure; knows nothing about time or models.
"""

import re
from collections.abc import Sequence

from app.text.blocks import blocks
from app.text.html_tags import html_tags, open_html_at
from app.text.markdown import open_link_at
from app.text.open_markup import OpenMarkup, Reasoning
from app.text.plan import TextRules
from app.text.pronouncer import pronouncer
from app.text.pronunciations import Pronunciation
from app.text.segments import MAX_CHARS, SHORT_CHARS, cut_at, speakable
from app.text.sentences import sentences
from app.text.spans import SpannedText
from app.text.spoken.open_forms import naming_words_at, open_form_at
from app.text.ssml import markup_spans, open_tag_at
from app.text.tags import open_bracket_at
from app.text.takes import Take

MAX_LOOKS = 24  # for the ends of sentences in a text that gives no take; ordinary ones need ten
SENTENCES = (1, 1, 2, 3)  # in the first, second, third and each later take

# A comma within a number or a date is no clause's, and a code keeps what names it.
_CLAUSE = re.compile(
    r"(?!(?<=\d),\s\d)(?!:\s(?:[#\d]|\Z))[,;:—–،؛][\"'”’)\]]*(?=\s)|[、，；：](?!(?<=\d.)\d)"  # noqa: RUF001
)
_TERMINATOR = re.compile(r"[.!?…。！？؟।۔\n]")  # noqa: RUF001
_ENDED = re.compile(r"(?:^|\s)[^\s/]*[!?！？][\"'”’)\]]*\s*$")  # noqa: RUF001 - and no address
_UNSPACED = "。！？、，；："  # noqa: RUF001 - no space follows these marks
_BORDERS = (" ", "\n", *_UNSPACED)  # of words


class IncrementalText:
    def __init__(
        self,
        language: str | None = None,
        max_chars: int = MAX_CHARS,
        *,
        strip_markdown: bool = False,
        has_spoken_forms: bool = True,
        pronunciations: Sequence[Pronunciation] = (),
    ) -> None:
        """The takes will be planned with the same values, and with spoken forms or without."""
        self._language = language or "en"
        self._max_chars = max_chars
        self._strips_markdown = strip_markdown
        self._has_spoken_forms = has_spoken_forms
        self._pronouncer = pronouncer(tuple(pronunciations), language)
        self._text = ""
        self._places: list[int] = []  # of its characters, in all that has come
        self._num_read = 0  # characters
        self._ends: list[int] = []  # of sentences, as they were last looked for
        self._checked: int | None = None  # where the last word began then; None: look again
        self._num_looks = 0  # for the ends, since the last take
        self._num_taken = 0
        self._opened = OpenMarkup(strip_markdown)
        self._reasoning = Reasoning()

    @classmethod
    def of(cls, rules: TextRules) -> "IncrementalText":
        """For takes that are planned with these rules."""
        return cls(
            rules.language,
            rules.max_segment_chars,
            strip_markdown=rules.strip_markdown,
            has_spoken_forms=rules.normalise != "off",
            pronunciations=rules.pronunciations,
        )

    def __len__(self) -> int:
        """Number of characters that are in no take yet."""
        return len(self._text)

    @property
    def is_blank(self) -> bool:
        """Whether no character but spaces is in no take yet."""
        return not self._text.strip()

    def push(self, text: str) -> list[Take]:
        """The takes that are complete now. The end of a sentence counts once the next word is
        complete: until then `Dr.` might end a sentence."""
        takes: list[Take] = []
        for char in text:
            self._num_read += 1
            if self._strips_markdown and self._reasoning.takes(char):
                continue
            if self._is_decided_at(char):
                takes += self._taken(is_spaced=char.isspace())
            self._append(char)
            if self._strips_markdown and char == ">":
                self._keep(self._reasoning.begin(self._text))
        return takes

    def flush(self, *, goes_on: bool = False) -> list[Take]:
        """The rest of the text as one take. Later text begins anew, or `goes_on` within the markup
        that is open."""
        rest = self._take(len(self._text))
        self._num_taken = 0
        if not goes_on:
            self._opened = OpenMarkup(self._strips_markdown)
            self._reasoning = Reasoning()
        return rest

    def flush_closed(self) -> list[Take]:
        """What stands before an item that more text could change (a number, a date, an address, a
        tag, a term) as one take. The item waits with the words that name it. Later text goes on
        within the markup that is open."""
        end = self._closed_end(is_spaced=False, has_form=not _ENDED.search(self._text))
        if self._has_spoken_forms:
            end = naming_words_at(self._text[:end], self._language)
        in_terms = self._in_terms()
        while end in in_terms:
            end -= 1
        if not speakable(self._text[:end]):
            return []
        self._num_taken = 0
        return self._take(end)

    def _append(self, char: str) -> None:
        """A run of white space is kept as one space, or as two line breaks between paragraphs, so
        that hostile text cannot fill memory with white space."""
        last = self._text[-1:]
        if not char.isspace():
            self._keep(self._text + char)
        elif not last.isspace():
            self._keep(self._text + (("\n" if char == "\n" else " ") if last else ""))
        elif char == "\n" and not self._text.endswith("\n\n"):
            self._keep(self._text + "\n" if last == "\n" else self._text[:-1] + "\n")

    def _keep(self, text: str) -> None:
        """The text as the newest character has made it: longer by that one, shorter, or as long."""
        del self._places[len(text) :]
        if len(text) > len(self._text):
            self._places.append(self._num_read - 1)
        self._text = text

    def _is_decided_at(self, char: str) -> bool:
        """Whether a word is complete before `char`, or the text is too long to wait for one."""
        if self._is_overlong():
            return True
        ended = char.isspace() or self._text[-1:] in _UNSPACED
        return ended and not self._text[-1:].isspace()

    def _taken(self, *, is_spaced: bool) -> list[Take]:
        """`is_spaced`: white space follows the text."""
        takes: list[Take] = []
        while (end := self._end(is_spaced)) is not None:
            takes += self._take(end)
        return takes

    def _take(self, end: int) -> list[Take]:
        """At most one: a very long line of dashes is dropped."""
        take, self._text = self._text[:end], self._text[end:]
        places, self._places = self._places[:end], self._places[end:]
        self._checked, self._num_looks = None, 0
        opened = self._opened.before(take)
        if not speakable(take):
            return []
        self._num_taken += 1
        return [Take(opened + take, (*places[:1] * len(opened), *places))]

    def _end(self, is_spaced: bool) -> int | None:
        """Where the next take ends. None: wait for more text."""
        if not speakable(self._text):
            return cut_at(self._text, self._max_chars) if self._is_long() else None
        ends = self._sentence_ends(is_spaced)
        wanted = SENTENCES[min(self._num_taken, len(SENTENCES) - 1)]
        if self._num_taken and len(ends) < wanted and not self._is_long():
            return None
        closed, in_terms = self._closed_end(is_spaced), self._in_terms()
        ends = [end for end in ends if end <= closed and end not in in_terms]
        for number, end in enumerate(ends, 1):
            next_end = ends[number] if number < len(ends) else None
            is_full = next_end is not None and next_end > self._max_chars
            if self._can_stand(end) and (number >= wanted or is_full):
                return end
        if self._is_long():
            standing = [end for end in ends if self._can_stand(end)]
            if standing or closed == len(self._text):
                return standing[-1] if standing else cut_at(self._text, self._max_chars)
        return self._first_clause(closed, in_terms) if self._num_taken == 0 else None

    def _in_terms(self) -> set[int]:
        """Where a cut would fall within a term that is said otherwise, or within markup."""
        spans = [(term.start, term.end) for term in self._pronouncer.replacements(self._text)]
        spans += markup_spans(self._text)
        if self._strips_markdown:
            spans += [(tag.start, tag.end) for tag in html_tags(self._text)]
        return {at for start, end in spans for at in range(start + 1, end)}

    def _is_long(self) -> bool:
        return len(self._text) > self._max_chars

    def _is_overlong(self) -> bool:
        """Too long to wait for anything."""
        return len(self._text) > 2 * self._max_chars

    def _closed_end(self, is_spaced: bool, *, has_form: bool = True) -> int:
        """What stands before it can be taken: markup, a written form or a pronounced term that is
        still open begins there. `has_form` False: a written form cannot be open."""
        text = self._text
        if self._is_overlong():
            return len(text)
        opened = [open_tag_at(text), open_bracket_at(text)]
        if self._strips_markdown:
            opened += [open_link_at(text), open_html_at(text)]
        spaced = f"{text} " if is_spaced else text
        if self._has_spoken_forms and has_form:
            opened.append(open_form_at(spaced, self._language))
        opened.append(self._pronouncer.open_at(spaced))
        return min((at for at in opened if at is not None), default=len(text))

    def _sentence_ends(self, is_spaced: bool) -> list[int]:
        """The ends of all sentences except the last, which may go on. They are looked for again
        when a mark that may end a sentence has come, and when the word behind it has; not where the
        text begins with something open, and at most MAX_LOOKS times: hostile text would have them
        looked for all the time."""
        if self._checked is None or _TERMINATOR.search(self._text, self._checked):
            is_open = self._closed_end(is_spaced) < SHORT_CHARS
            if is_open or (self._num_looks >= MAX_LOOKS and not self._is_overlong()):
                self._checked = None
                return []
            self._num_looks += 1
            self._ends = self._found_ends()
        last_word = max(map(self._text[:-1].rfind, _BORDERS)) + 1
        self._checked = last_word
        return self._ends

    def _found_ends(self) -> list[int]:
        if not _TERMINATOR.search(self._text):
            return []
        spanned = SpannedText.of(self._text)
        spanned = spanned.replaced(blocks(self._text, self._language))
        ends, end = [], 0
        for sentence in sentences(spanned.text, self._language)[:-1]:
            end += len(sentence)
            ends.append(int(spanned.ends[end - 1]))
        return ends

    def _can_stand(self, end: int) -> bool:
        said = self._text[:end].strip()
        return len(said) >= SHORT_CHARS and speakable(said)

    def _first_clause(self, closed: int, in_terms: set[int]) -> int | None:
        last = min(closed, len(self._text) - 1)
        ends = [match.end() for match in _CLAUSE.finditer(self._text, 0, last)]
        return next((end for end in ends if end not in in_terms and self._can_stand(end)), None)
