"""SSML and pauses in a text: which replacements speak it.

Elements count wherever they stand, because a text may come in pieces: a stream that begins with
`<speak>` has no end yet. Wrappers vanish and their words stay. `break`, `sub` and `say-as` act.
A pause becomes PAUSE, one private character that no later step touches. Pure functions.

Each tag is read by expat on its own, so there is no document type and no entity of a text's own.
The references to characters are HTML's: they have XML's five among them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from html.entities import html5
from xml.parsers.expat import ExpatError, ParserCreate

from app.errors import BadRequest
from app.text.say_as import say_as
from app.text.spans import Replacement

PAUSE = "\ue000"  # of Unicode's private use area: a caller's own is taken out
BLOCK = "\n\n"
MAX_PAUSE_S = 10.0
MAX_TAG_CHARS = 512
MAX_PAUSE_CHARS = 80

_WRAPPERS = {"speak", "prosody", "emphasis", "voice", "lang", "phoneme", "w", "token", "mark"}
_BLOCKS = {"p", "s", "paragraph", "sentence"}
_SAID = {"sub", "say-as"}  # their words are replaced
_KNOWN = {"break", *_WRAPPERS, *_BLOCKS, *_SAID}
_STRENGTHS_S = {
    "none": 0.0,
    "x-weak": 0.1,
    "weak": 0.2,
    "medium": 0.5,
    "strong": 0.8,
    "x-strong": 1.2,
}

_ITEM = re.compile(
    r"(?P<pause>\[pause:(?P<pause_s>[^\[\]]{0,32})\])"
    r"|<(?P<close>/?)(?P<name>[A-Za-z][\w:.-]{0,40})"
    r"(?P<attributes>(?:\s(?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*)?)/?>"
    r"|(?P<silent><\?.{0,200}?\?>|<!--.{0,500}?-->|<!\[CDATA\[|\]\]>)"
    r"|(?P<doctype><!DOCTYPE\b)"
    r"|(?P<entity>&(?:[a-z][a-z0-9]{1,7}|\#\d{1,7}|\#[xX][0-9a-fA-F]{1,6});)"
    rf"|(?P<private>{PAUSE})",
    re.IGNORECASE | re.DOTALL,
)
_OPEN_TAG = re.compile(r"</?([a-z][\w:.-]*|(?=$))")
_DECLARATIONS = ("<!--", "<![cdata[", "<?xml", "<!doctype")
_TIME = re.compile(r"\s*\+?(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})(ms|s)\s*", re.IGNORECASE)
_DOCUMENT = re.compile(  # behind what nobody sees
    r"(?:[\s\ufeff\u200b]|<!--.{0,500}?-->)*<(?:\?xml|speak)\b",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class SpokenMarkup:
    """`pauses_s[i]` is the length of the i-th PAUSE."""

    replacements: list[Replacement]
    pauses_s: list[float]


def is_document(text: str) -> bool:
    """Whether the text is SSML as a whole: an element that is not known is refused then, and is
    text otherwise."""
    return _DOCUMENT.match(text) is not None


def read_ssml(text: str, language: str = "en", *, is_ssml: bool | None = None) -> SpokenMarkup:
    """`language`: of the numbers in a `say-as`. Raises BadRequest for an unknown element of a
    document, a document type, an attribute that cannot be read, and a pause that is malformed or
    too long."""
    if "<" not in text and "[" not in text and "&" not in text and PAUSE not in text:
        return SpokenMarkup([], [])
    strict = is_document(text) if is_ssml is None else is_ssml
    reader = _Reader(text, language, strict)
    return SpokenMarkup([*reader.replacements()], reader.pauses_s)


class _Reader:
    """Goes through the markup of one text."""

    def __init__(self, text: str, language: str, strict: bool) -> None:
        self._text = text
        self._language = language
        self._strict = strict
        self._items = _ITEM.finditer(text)
        self.pauses_s: list[float] = []

    def replacements(self) -> Iterator[Replacement]:
        for item in self._items:
            if item["entity"] is not None:
                yield from _character(item)
            elif item["name"] is None:
                yield self._mark(item)
            elif (name := item["name"].lower()) in _KNOWN:
                yield from self._element(item, name)
            elif self._strict:
                names = ", ".join(sorted(_KNOWN))
                raise _refused(f"<{item['name']}> is not known here; these are: {names}")

    def _mark(self, item: re.Match[str]) -> Replacement:
        start, end = item.span()
        if item["doctype"] is not None:
            raise _refused("a document type (<!DOCTYPE>) is not allowed")
        if item["pause"] is not None:
            return self._pause(item, _seconds(item["pause_s"]))
        return Replacement(start, end, "")

    def _pause(self, item: re.Match[str], seconds: float) -> Replacement:
        self.pauses_s.append(seconds)
        return Replacement(*item.span(), PAUSE, is_final=True)

    def _element(self, tag: re.Match[str], name: str) -> Iterator[Replacement]:
        start, end = tag.span()
        attributes = {} if tag["close"] else _attributes(tag)
        if name == "break" and not tag["close"]:
            yield self._pause(tag, _break_s(attributes))
        elif name == "sub" and "alias" not in attributes and not self._strict:
            yield Replacement(start, end, "")  # HTML's, as in H<sub>2</sub>O
        elif name in _SAID and not tag["close"] and self._text[end - 2] != "/":
            yield from self._words(tag, name, attributes)
        else:
            yield Replacement(start, end, BLOCK if name in _BLOCKS else "")

    def _words(
        self, tag: re.Match[str], name: str, attributes: dict[str, str]
    ) -> Iterator[Replacement]:
        """Of an element that says other words than those within it."""
        length = len(self._text)
        close = next((item for item in self._items if _closes(item, name)), None)
        end, stop = close.span() if close is not None else (length, length)
        words = unescape(_ITEM.sub("", self._text[tag.end() : end])).strip()
        yield Replacement(*tag.span(), "")
        if name == "say-as":
            kind, form = attributes.get("interpret-as", ""), attributes.get("format")
            yield Replacement(tag.end(), end, say_as(kind, words, form, self._language))
        elif "alias" in attributes:
            alias = attributes["alias"].replace(PAUSE, "")
            yield Replacement(tag.end(), end, alias, is_final=True)
        else:
            raise _refused("<sub> needs an alias")
        yield Replacement(end, stop, "")


def _character(item: re.Match[str]) -> Iterator[Replacement]:
    """An unknown name stays."""
    name = item["entity"].removeprefix("&")
    said = unescape(item["entity"]) if name.startswith("#") else html5.get(name)
    if said is not None:
        yield Replacement(*item.span(), said.replace(PAUSE, ""))


def _closes(item: re.Match[str], name: str) -> bool:
    return bool(item["close"]) and item["name"].lower() == name


def _attributes(tag: re.Match[str]) -> dict[str, str]:
    """Read by expat. Raises BadRequest."""
    found: dict[str, str] = {}
    parser = ParserCreate()
    parser.StartElementHandler = lambda _, attributes: found.update(attributes)
    try:
        parser.Parse(f"<{tag['name']}{tag['attributes'].rstrip().rstrip('/')}/>", True)
    except (ExpatError, UnicodeError) as error:
        raise _refused(f"the attributes of <{tag['name']}> cannot be read") from error
    return found


def _break_s(attributes: dict[str, str]) -> float:
    if attributes.keys() <= {"time", "strength"}:
        if "time" in attributes:
            return _seconds(attributes["time"])
        strength = attributes.get("strength", "medium")
        if strength in _STRENGTHS_S:
            return _STRENGTHS_S[strength]
    message = 'input: a break must be written as <break time="500ms"/>'
    raise BadRequest(message, param="input")


def _seconds(given: str) -> float:
    time = _TIME.fullmatch(given)
    if time is None:
        message = "input: the time of a pause must be written as 1.5s or 300ms"
        raise BadRequest(message, param="input")
    seconds = float(time[1]) / (1000 if time[2].lower() == "ms" else 1)
    if seconds > MAX_PAUSE_S:
        raise BadRequest(f"input: a pause may last at most {MAX_PAUSE_S:g} s", param="input")
    return seconds


def _refused(reason: str) -> BadRequest:
    return BadRequest(f"input: SSML: {reason}", param="input", code="unsupported_ssml")


def open_tag_at(text: str) -> int | None:
    """Where markup that may go on behind the end of `text` begins: a tag, a pause, an entity, or
    an element whose words are said in another way."""
    found = (_open_tag(text), _open_element(text), _open_entity(text), _open_comment(text))
    return min((at for at in found if at >= 0), default=None)


def markup_spans(text: str) -> list[tuple[int, int]]:
    """Where tags, pauses, comments and entities stand in the text."""
    if "<" not in text and "[" not in text and "&" not in text:
        return []
    return [item.span() for item in _ITEM.finditer(text)]


def _open_tag(text: str) -> int:
    at = max(text.rfind("["), text.rfind("<"))
    if at < 0 or len(text) - at > MAX_TAG_CHARS:
        return -1
    tail = text[at:].lower()
    if tail[0] == "[":
        is_open = len(tail) < MAX_PAUSE_CHARS and "]" not in tail and _may_be("[pause:", tail)
        return at if is_open else -1
    if _ITEM.match(text, at) is not None:
        return -1
    name = _OPEN_TAG.match(tail)
    if name is None:
        return at if any(_may_be(known, tail) for known in _DECLARATIONS) else -1
    if name.end() < len(tail):
        is_open = name[1] in _KNOWN
    else:
        is_open = any(known.startswith(name[1]) for known in _KNOWN)
    return at if is_open else -1


def _may_be(known: str, tail: str) -> bool:
    return known.startswith(tail) or tail.startswith(known)


def _open_element(text: str) -> int:
    """Of `sub` and `say-as`: their words and their end belong together."""
    found = -1
    if "<s" not in text and "<S" not in text:
        return found
    for item in _ITEM.finditer(text):
        if item["name"] is not None and item["name"].lower() in _SAID:
            is_open = not item["close"] and text[item.end() - 2] != "/"
            found = item.start() if is_open else -1
    return found if len(text) - found <= MAX_TAG_CHARS else -1


def _open_comment(text: str) -> int:
    """Tags within a comment are a part of it."""
    at = text.rfind("<!--", max(0, len(text) - MAX_TAG_CHARS))
    return at if at >= 0 and "-->" not in text[at + len("<!--") :] else -1


def _open_entity(text: str) -> int:
    at = text.rfind("&", max(0, len(text) - 10))
    return at if at >= 0 and re.fullmatch(r"&#?\w*", text[at:]) else -1
