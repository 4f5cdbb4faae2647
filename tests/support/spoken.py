"""A text as it is said."""

from app.text.spans import SpannedText
from app.text.spoken.forms import replacements


def said(text: str, language: str = "en") -> str:
    return SpannedText.of(text).replaced(replacements(text, language)).text
