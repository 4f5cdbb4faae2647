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
# As texts and other systems write them. "laughs softly" is one, too.
STAGE_TAGS = (
    "beat|breath|breathes|breathing|cheering|cheers|chuckles|chuckling|clapping|claps|coughing|"
    "coughs|cries|cry|crosstalk|exhale|exhales|excited|footsteps|gasping|gasps|giggle|giggles|"
    "giggling|groaning|groans|growls|grunts|hum|humming|hums|inaudible|inhale|inhales|laughing|"
    "laughs|laughter|moans|music|pause|pauses|sad|scoffs|screaming|screams|shout|shouting|shouts|"
    "shushes|sighing|sighs|silence|singing|sings|sneeze|sneezes|sniffing|sniffle|sniffles|sniffs|"
    "snort|snorts|sob|sobbing|sobs|tsk|whisper|whispers|whistles|whistling|yawn|yawning|yawns|"
    "yelling|yells|applause|clears throat|clearing throat|throat clearing|deep breath|"
    "background music|background noise|music playing|upbeat music|soft music|audience laughs|"
    "phone ringing|door opens|door closes"
)
_DROPPED = KNOWN_TAGS.union(STAGE_TAGS.split("|"))
MAX_TAG_CHARS = 24
_TAG = re.compile(r"\[([A-Za-z][A-Za-z ]{1,20})\](?!\()")  # and no link
_MANNER = re.compile(r" [a-z]+ly$|^[a-z]+ly ")
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
        elif _is_direction(name):
            found.append(Replacement(*match.span(), "", dropped=TAG))
    return found


def _is_direction(name: str) -> bool:
    """Also with one word for its manner, such as `laughs softly`."""
    return name in _DROPPED or _MANNER.sub("", name) in _DROPPED


def open_bracket_at(text: str) -> int | None:
    """Where a tag of a model begins that may go on behind the end of `text`."""
    at = text.rfind("[", -MAX_TAG_CHARS)
    if at < 0:
        return None
    name = text[at + 1 :].lower()
    if any(tag.startswith(name) for tag in _DROPPED):
        return at
    told, space, manner = name.rpartition(" ")
    is_open = bool(space) and told in _DROPPED and (not manner or manner.isalpha())
    return at if is_open else None


def without_reasoning(text: str) -> list[Replacement]:
    """A block that has no end reaches to the end of the text."""
    if "<" not in text:
        return []
    return [Replacement(*each.span(), "", dropped=REASONING) for each in _REASONING.finditer(text)]
