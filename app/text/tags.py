"""A model's own tags in a text, such as `[laugh]`, and blocks of reasoning. Pure functions."""

import re

from app.text.spans import Replacement

TAG, REASONING = "tag", "reasoning"  # why words were dropped

# Those of the published Turbo. On a model without them they are dropped, not read aloud.
KNOWN_TAGS = frozenset(
    (
        "advertisement",
        "angry",
        "chuckle",
        "clear throat",
        "cough",
        "crying",
        "dramatic",
        "fear",
        "gasp",
        "groan",
        "happy",
        "laugh",
        "narration",
        "sarcastic",
        "shush",
        "sigh",
        "sniff",
        "surprised",
        "whispering",
    )
)
MAX_TAG_CHARS = 24
_TAG = re.compile(r"\[([A-Za-z][A-Za-z ]{1,20})\](?!\()")  # and no link
_REASONING = re.compile(
    r"<(think|thinking|thought|reasoning)>(?:(?!</\1>).)*(?:</\1>|\Z)|</think>",
    re.IGNORECASE | re.DOTALL,
)


def tags(text: str, known: tuple[str, ...]) -> list[Replacement]:
    """`known`: the tags of the model that will speak, without brackets."""
    if "[" not in text:
        return []
    found = []
    for match in _TAG.finditer(text):
        name = match[1].lower()
        if name in known:
            found.append(Replacement(*match.span(), f"[{name}]", is_final=True))
        elif name in KNOWN_TAGS:
            found.append(Replacement(*match.span(), "", dropped=TAG))
    return found


def open_bracket_at(text: str) -> int | None:
    """Where a tag of a model begins that may go on behind the end of `text`."""
    at = text.rfind("[", -MAX_TAG_CHARS)
    if at < 0:
        return None
    name = text[at + 1 :].lower()
    return at if any(tag.startswith(name) for tag in KNOWN_TAGS) else None


def without_reasoning(text: str) -> list[Replacement]:
    """A block that has no end reaches to the end of the text."""
    if "<" not in text:
        return []
    return [Replacement(*each.span(), "", dropped=REASONING) for each in _REASONING.finditer(text)]
