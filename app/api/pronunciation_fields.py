"""Pronunciations in a body or a message: the types and ranges of their fields.

A term is given once in a list. Knows nothing about requests and stores.
"""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from app.text.pronunciations import MAX_SAY_CHARS, MAX_TERM_CHARS, Pronunciation
from app.text.segments import speakable
from app.voices.pronunciation_store import MAX_KEPT

MAX_PER_REQUEST = 100
_ENTRY_BYTES = (MAX_TERM_CHARS + MAX_SAY_CHARS) * 12 + 128  # in JSON: "\ud83d\ude42" at worst
MAX_REQUEST_BYTES = MAX_PER_REQUEST * _ENTRY_BYTES
MAX_LIST_BYTES = MAX_KEPT * _ENTRY_BYTES


def _clean(text: str) -> str:
    """Composed, without invisible characters, with one space for each run of white space."""
    seen = (
        char for char in unicodedata.normalize("NFC", text) if unicodedata.category(char) != "Cf"
    )
    clean = " ".join("".join(seen).split())
    if not speakable(clean):
        raise ValueError("the text must have a letter or a digit")
    if not clean.isprintable():
        raise ValueError("the text may have no control character")
    return clean


class PronunciationFields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    term: Annotated[str, AfterValidator(_clean)] = Field(
        min_length=1, max_length=MAX_TERM_CHARS, description="one word or several, said whole only"
    )
    say: Annotated[str, AfterValidator(_clean)] = Field(
        min_length=1, max_length=MAX_SAY_CHARS, description="what is said instead"
    )
    language: str | None = Field(
        None, pattern=r"^[a-z]{2,3}$", description="of the texts in which it counts; null: all"
    )
    case_sensitive: bool | None = Field(None, description="whether capitals must agree")

    @property
    def entry(self) -> Pronunciation:
        return Pronunciation(self.term, self.say, self.language, bool(self.case_sensitive))


def _without_repeats(entries: list[PronunciationFields]) -> list[PronunciationFields]:
    seen = set()
    for each in entries:
        entry = each.entry
        term = entry.term if entry.case_sensitive else entry.term.casefold()
        key = (term, entry.language, entry.case_sensitive)
        if key in seen:
            raise ValueError(f"the term {entry.term!r} is given twice")
        seen.add(key)
    return entries


def _schema(num_entries: int) -> WithJsonSchema:
    """Without a reference, so that the schema can stand within another document."""
    items = PronunciationFields.model_json_schema()
    return WithJsonSchema({"type": "array", "maxItems": num_entries, "items": items})


RequestList = Annotated[
    list[PronunciationFields],
    Field(max_length=MAX_PER_REQUEST),
    AfterValidator(_without_repeats),
    _schema(MAX_PER_REQUEST),
]


class PronunciationListFields(BaseModel):
    """The body of PUT /v1/audio/pronunciations."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    pronunciations: Annotated[
        list[PronunciationFields],
        Field(max_length=MAX_KEPT),
        AfterValidator(_without_repeats),
        _schema(MAX_KEPT),
    ]

    @property
    def entries(self) -> tuple[Pronunciation, ...]:
        return tuple(each.entry for each in self.pronunciations)
