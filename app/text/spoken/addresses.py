"""Web and e-mail addresses: the scheme is dropped, and marks are said by name.

Each language has its own names of the marks. Knows nothing else about a language.
"""

import re
from collections.abc import Callable, Mapping

from app.text.spoken.rules import Rule, rule

# Endings that make a bare name an address; behind www. and a scheme any ending does.
_ENDINGS = (
    "com|org|net|edu|gov|mil|int|io|ai|app|dev|co|me|tv|info|biz|xyz|tech|cloud|shop|online|site|"
    "store|blog|uk|us|ca|au|nz|ie|in|de|at|ch|fr|es|it|nl|be|pl|pt|se|no|dk|fi|gr|tr|ru|ua|cz|jp|"
    "cn|kr|br|mx|ar|il|ae|sa|za|eu"
)
_HOST = r"[^\W_][\w-]*(?:\.[^\W_][\w-]*)*"
_REST = r"[/?\#][\w./?=&%\#:~+@,;!$'()*-]*"
# A bracket at its end belongs to it where it was opened within it: /Foo_(bar)
_PATH = rf"(?::\d{{1,5}})?(?:{_REST}\([\w,.-]+\)(?![\w/])|{_REST}[\w/]|/)?"
_FILES = (
    "pdf|docx?|xlsx?|pptx?|csv|tsv|txt|md|json|ya?ml|toml|ini|cfg|py|js|ts|jsx|tsx|html?|css|png|"
    "jpe?g|gif|svg|webp|mp3|mp4|wav|flac|ogg|zip|tar|gz|exe|sh|log|sql|xml|java|cpp|rs|go|rb|php"
)
_NO_ADDRESS = r"(?!(?:p\.es|m\.in)\.(?!\w))"  # Italian and Polish abbreviations
_PIECES = re.compile(r"[^\W\d_]+|\d+|.", re.DOTALL)
_NO_WORDS = {"www": "w w w", "html": "h t m l", "php": "p h p", "https": "", "http": ""}


def say_address(text: str, names: Mapping[str, str], digits: Callable[[str], str]) -> str:
    """Letters, numbers and the names of marks, each behind a space. A mark without a name is
    dropped."""
    said = []
    for piece in _PIECES.findall(text):
        if piece.isdecimal():
            said.append(digits(piece))
        elif piece.isalpha():
            said.append(_letters(piece))
        else:
            said.append(names.get(piece, ""))
    return " ".join(word for word in said if word)


def _letters(piece: str) -> str:
    """Short pieces without a vowel are spelled."""
    lower = piece.lower()
    if lower in _NO_WORDS:
        return _NO_WORDS[lower]
    is_word = len(piece) > 4 or any(char in "aeiouy" or char > "\x7f" for char in lower)
    return piece if is_word else " ".join(piece)


def address_rules(names: Mapping[str, str], digits: Callable[[str], str]) -> tuple[Rule, ...]:
    def say(match: re.Match[str]) -> str:
        return say_address(match["address"].rstrip("/"), names, digits)

    return (
        rule(rf"(?:mailto:)?(?P<address>[\w.+%-]+@{_HOST}\.[^\W\d_]{{2,}})", say),
        rule(
            rf"(?<![A-Za-z0-9])(?:https?|ftp|wss?)://(?P<address>(?:[\w.-]+@)?{_HOST}{_PATH})",
            say,
            re.I,
        ),
        rule(rf"(?<![A-Za-z0-9_@.])(?P<address>www\.{_HOST}{_PATH})", say, re.I),
        rule(
            rf"(?<![\w@./-]){_NO_ADDRESS}(?P<address>{_HOST}\.(?:{_ENDINGS})(?![\w-]){_PATH})(?!\.\w)",
            say,
        ),
        rule(rf"(?<![\w@./-])(?P<address>[\w./-]*[\w-]+\.(?:{_FILES}))(?![\w-])(?!\.\w)", say),
        rule(r"(?<![\w@.])(?P<address>localhost(?::\d+)?(?:/[\w./-]*\w)?)", say),
        rule(r"(?<![\w./])(?P<address>(?:~|\.{0,2})/[\w.-]+(?:/[\w.-]+)+)(?<!\.)", say),
        rule(r"(?<![\d.])(?P<address>(?:\d{1,3}\.){3}\d{1,3}(?:(?:/|:)\d+)?)(?![\d.]*\d)", say),
    )
