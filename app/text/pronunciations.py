"""Words that a caller wants said otherwise: `Kubernetes` as `koo ber net eez`.

Pure; knows nothing about requests, voices or stores.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from app.errors import BadRequest

MAX_TERM_CHARS = 100
MAX_SAY_CHARS = 200
MAX_GROWTH = 10
SHORT_CHARS = 400  # a shorter text counts as one of this length


@dataclass(frozen=True, slots=True)
class Pronunciation:
    """Where the whole word `term` stands in a text of `language`, `say` is spoken."""

    term: str
    say: str
    language: str | None = None  # None: of every language
    case_sensitive: bool = False


def merged(*levels: Iterable[Pronunciation]) -> tuple[Pronunciation, ...]:
    """The pronunciations of all levels. Of two with the same term, the one of the earlier level
    counts; within a level, the one with the narrower condition."""
    narrow_first = (
        sorted(level, key=lambda entry: (not entry.case_sensitive, entry.language is None))
        for level in levels
    )
    return tuple(entry for level in narrow_first for entry in level)


def check_growth(text: str, pronounced: str) -> None:
    """Raises BadRequest where the pronunciations make a text much longer, so that a short request
    cannot ask for hours of speech."""
    if len(pronounced) > MAX_GROWTH * max(len(text), SHORT_CHARS):
        message = f"pronunciations: they may make a text {MAX_GROWTH} times as long, not more"
        raise BadRequest(message, param="pronunciations", code="string_above_max_length")
