"""Terms to be looked for in a text, at any place of it at once.

A look-up takes one step for each different length of the terms, so that a thousand terms are as
quick as ten. A text is looked at in two forms of the same length: as it is, and in lower case.
Pure; knows nothing about words.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_NONE: set[int] = set()


class Term(NamedTuple):
    form: str  # in lower case, unless it is exact
    is_exact: bool
    say: str


class Forms(NamedTuple):
    exact: str
    folded: str


class TermIndex:
    def __init__(self, terms: Iterable[Term]) -> None:
        """Of two terms with the same form, the first counts."""
        self._terms: dict[tuple[bool, str], tuple[int, Term]] = {}
        for rank, term in enumerate(terms):
            self._terms.setdefault((term.is_exact, term.form), (rank, term))
        self._lengths: dict[tuple[bool, str], set[int]] = {}  # by exactness and first character
        for is_exact, form in self._terms:
            self._lengths.setdefault((is_exact, form[0]), set()).add(len(form))
        self._sorted = {
            is_exact: sorted(form for exact, form in self._terms if exact is is_exact)
            for is_exact in (False, True)
        }
        self.longest = max((len(form) for _, form in self._terms), default=0)

    def __len__(self) -> int:
        return len(self._terms)

    def at(self, text: Forms, at: int) -> Iterator[Term]:
        """The terms that stand at a place, longest first. Of two of the same length, the one that
        was given first."""
        exact = self._lengths.get((True, text.exact[at]), _NONE)
        folded = self._lengths.get((False, text.folded[at]), _NONE)
        for length in sorted(exact | folded, reverse=True):
            end = at + length
            keys = ((True, text.exact[at:end]), (False, text.folded[at:end]))
            if end <= len(text.exact):
                found = [self._terms[key] for key in keys if key in self._terms]
                yield from (term for _, term in sorted(found))

    def may_begin_at(self, text: Forms, at: int) -> bool:
        """Whether the text from this place on is the beginning of a term, or a whole term."""
        for is_exact, forms in self._sorted.items():
            rest = (text.exact if is_exact else text.folded)[at:]
            place = bisect_left(forms, rest)
            if place < len(forms) and forms[place].startswith(rest):
                return True
        return False
