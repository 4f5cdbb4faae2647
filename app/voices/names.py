"""The display name of a voice: text of any script. Its id is made by the server and stays plain.
Knows nothing about voices."""

import unicodedata

MAX_CHARS = 64

_KINDS = frozenset("LMNPS")  # letters, marks, numbers, punctuation, symbols
_JOINERS = "\u200c\u200d"  # Persian and scripts of India are written with them
_PATHS = "/\\"
_FILE_ENDINGS = (".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".webm")


def plain_name(text: str) -> str:
    """The name in the one form in which it is kept and compared: composed (NFC), with single spaces
    and none around it. `é` has two spellings, and macOS sends the longer one."""
    composed = unicodedata.normalize("NFC", text).strip()
    spaced = (" " if unicodedata.category(char) == "Zs" else char for char in composed)
    return " ".join(part for part in "".join(spaced).split(" ") if part)


def folded_name(text: str) -> str:
    """The form in which two spellings of one name are equal: without capitals, and without the
    ending of a sound file, with which other servers name their voices."""
    name = plain_name(text).casefold()
    ending = next((ending for ending in _FILE_ENDINGS if name.endswith(ending)), "")
    return name.removesuffix(ending).rstrip()


def problem_of_name(name: str) -> str | None:
    """`name` as plain_name gives it. The message continues "a name …"; None where it is right."""
    if not 1 <= len(name) <= MAX_CHARS:
        return f"has 1 to {MAX_CHARS} characters"
    for char in name:
        if char in _PATHS:
            return "has no slash"
        if char not in _JOINERS and char != " " and unicodedata.category(char)[0] not in _KINDS:
            return f"has no control or invisible character (U+{ord(char):04X})"
    if not any(unicodedata.category(char)[0] in "LN" for char in name):
        return "has a letter or a digit"
    return None
