"""A vendor's tags in a text that comes in pieces, as the markup that app/text reads.

A tag may be cut by the border of two pieces, so a piece that ends within a possible tag is held
back from there. Pure.
"""

import re
from collections.abc import Mapping

MAX_TAG_CHARS = 80
_OPEN = re.compile(r"</?([A-Za-z]*)([^<>]*)$")
_READ_LATER = ("break",)  # tags that app/text reads: they come to it whole


class TagReplacer:
    """`replacements`: by the name of the tag with its slash where it closes (`spell`, `/spell`)."""

    def __init__(self, replacements: Mapping[str, str]) -> None:
        self._replacements = dict(replacements)
        names = {name.lstrip("/") for name in replacements}
        self._names = (*names, *_READ_LATER)
        named = "|".join(sorted(names))
        self._tag = re.compile(rf"<(/?(?:{named}))(?![\w:.-])[^<>]{{0,{MAX_TAG_CHARS}}}>", re.I)
        self._held = ""

    def push(self, text: str) -> str:
        """The text that is complete now."""
        text = self._held + text
        opened = _OPEN.search(text)
        end = opened.start() if opened is not None and self._may_be_tag(opened) else len(text)
        self._held = text[end:]
        return self._tag.sub(self._replacement, text[:end])

    def _may_be_tag(self, opened: re.Match[str]) -> bool:
        """Whether what begins here can still become a tag with one of the names."""
        name, rest = opened[1].lower(), opened[2]
        if len(opened[0]) > MAX_TAG_CHARS:
            return False
        return name in self._names if rest else any(one.startswith(name) for one in self._names)

    def finish(self) -> str:
        """What was held back and is no tag."""
        held, self._held = self._held, ""
        return held

    def _replacement(self, match: re.Match[str]) -> str:
        """Nothing for the closing tag of one that stands alone, and nothing joins two words."""
        text = match.string
        before = text[match.start() - 1 : match.start()]
        after = text[match.end() : match.end() + 1]
        said = self._replacements.get(match[1].lower(), "")
        return " " if not said and before.isalnum() and after.isalnum() else said
