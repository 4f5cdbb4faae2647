"""HTML's tags in a text: the words stay, and a block is a paragraph. Pure functions."""

import re

from app.text.spans import Replacement

PARAGRAPH = "\n\n"
MAX_TAG_CHARS = 512
_INLINE = (
    "a abbr b bdi bdo big center cite code del dfn em font i img ins kbd label q samp small span"
    " strike strong sup tt u var wbr"
)
_BLOCKS = (
    "address article aside blockquote body dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6"
    " head header hr html li main nav ol pre section table tbody tfoot thead tr ul"
)
_SAID = {
    **dict.fromkeys(_INLINE.split(), ""),
    **dict.fromkeys(_BLOCKS.split(), PARAGRAPH),
    "br": "\n",
    "td": " ",
    "th": " ",
}
_NAMES = "|".join(sorted(_SAID, key=len, reverse=True))
_ATTRIBUTES = r"(?:\s(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*)?"
_TAG = re.compile(rf"</?(?P<name>{_NAMES}){_ATTRIBUTES}/?>", re.IGNORECASE)
_OPEN = re.compile(r"</?([a-z][a-z0-9]*)?(?P<attributes>[\s/][^<]*)?", re.IGNORECASE)


def html_tags(text: str) -> list[Replacement]:
    if "<" not in text:
        return []
    return [Replacement(*each.span(), _SAID[each["name"].lower()]) for each in _TAG.finditer(text)]


def open_html_at(text: str) -> int | None:
    """Where a tag begins that may go on behind the end of `text`."""
    at = text.rfind("<", max(0, len(text) - MAX_TAG_CHARS))
    if at < 0 or _TAG.match(text, at):
        return None
    opened = _OPEN.fullmatch(text, at)
    if opened is None:
        return None
    name = (opened[1] or "").lower()
    if opened["attributes"]:
        return at if name in _SAID else None
    return at if any(known.startswith(name) for known in _SAID) else None
