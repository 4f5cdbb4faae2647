"""Written forms in a text and the words that are said for them: $5.3 billion, 9:30PM, 2026-11-24.

English, Chinese and Japanese have rules of their own, and so do the languages in tables/. Every
other language has its numbers. The rules of a language are imported with its first text. Knows
nothing about segments or models.
"""

import re
from functools import cache

from app.text.spans import Replacement
from app.text.spoken.rules import Rule, apply_rules

# English without any of these has no written form.
_ANY_FORM = re.compile(r"[^a-zA-Z\s,!?'\"]|[A-Z][A-Z]|\b[IVXLC]\b|\bvs\b")
# The languages that have rules.
LANGUAGES = frozenset(
    (
        *("ar", "da", "de", "el", "en", "es", "fi", "fr", "he", "hi", "it", "ja"),
        *("ko", "ms", "nl", "no", "pl", "pt", "ru", "sv", "sw", "tr", "zh"),
    )
)


def replacements(text: str, language: str) -> list[Replacement]:
    """In order of the text, without overlap. Each replaces the written form alone."""
    if language == "en" and not _ANY_FORM.search(text):
        return []
    return apply_rules(text, rules_of(language))


@cache
def rules_of(language: str) -> tuple[Rule, ...]:
    """Each language imports its own libraries."""
    match language:
        case "en":
            from app.text.spoken.english.language import RULES  # noqa: PLC0415
        case "zh":
            from app.text.spoken.chinese import RULES  # noqa: PLC0415
        case "ja":
            from app.text.spoken.japanese import RULES  # noqa: PLC0415
        case _:
            from app.text.spoken.general.language import rules_for  # noqa: PLC0415

            return rules_for(language)
    return RULES
