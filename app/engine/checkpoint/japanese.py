"""The kana of a Japanese text, as the multilingual model was trained on them.

A reader gives the kana of the words with kanji. Open JTalk reads where its package is installed
(the extra `japanese`), else pykakasi, upstream's own reader. Both get composed characters; upstream
decomposes before the look-up, and so misreads voiced endings. `UpstreamReader` keeps that order.
"""

import logging
import re
import threading
from importlib.util import find_spec
from typing import Any, Protocol
from unicodedata import normalize

from chatterbox.models.tokenizers.tokenizer import hiragana_normalize

log = logging.getLogger(__name__)

_KANJI = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3041-\u309f]")
_SPACES = re.compile(r"(\s+)")
_KATAKANA_TO_HIRAGANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}
# A dictionary takes this for the greeting, which is written in kana today. It is one when alone.
_TODAY = re.compile(r"今日は(?P<alone>\s*(?=[。!.]|$))?")
# Forms of a character that dictionaries know under another: mostly in names.
_VARIANTS = str.maketrans(
    "髙﨑𠮷濵瀨栁桒槗冨塚德黑邊邉齋齊澤廣國會澁靜眞惠櫻濱嶋槙凛圓",
    "高崎吉浜瀬柳桑橋富塚徳黒辺辺斎斉沢広国会渋静真恵桜浜島槇凜円",
)


class JapaneseReader(Protocol):
    def kana(self, text: str) -> str:
        """Decomposed characters; words without kanji stay. Any thread."""
        ...


class UpstreamReader:
    """Upstream's order, for tests of parity."""

    def kana(self, text: str) -> str:
        return str(hiragana_normalize(normalize("NFKD", text)))


class DictionaryReader:
    """pykakasi. It drops an unknown character with its neighbour: such a character never reaches
    it. It is told in the log, once for each."""

    def __init__(self) -> None:
        import pykakasi  # noqa: PLC0415 (0.2 s, and only for Japanese)

        self._kakasi = pykakasi.kakasi()
        self._is_known: dict[str, bool] = {}

    def kana(self, text: str) -> str:
        composed = prepared(text)
        read = self._without_unknown(composed)
        said = [_spoken(each["orig"], each["hira"]) for each in self._kakasi.convert(read)]
        return normalize("NFKD", "".join(said))

    def _without_unknown(self, text: str) -> str:
        unknown = {char for char in set(text) if _KANJI.match(char) and not self._knows(char)}
        return "".join(char for char in text if char not in unknown) if unknown else text

    def _knows(self, char: str) -> bool:
        if char not in self._is_known:
            words = self._kakasi.convert(char)
            self._is_known[char] = any(word["hira"] for word in words)
            if not self._is_known[char]:
                _tell(char)
        return self._is_known[char]


class OpenJTalkReader:
    """It drops spaces: it is given the text between them."""

    def __init__(self) -> None:
        import pyopenjtalk  # noqa: PLC0415 (optional)

        self._read: Any = pyopenjtalk.run_frontend
        self._lock = threading.Lock()  # its state is one for the process
        self._told: set[str] = set()

    def kana(self, text: str) -> str:
        pieces = _SPACES.split(prepared(text))
        with self._lock:
            said = [self._piece(piece) if piece.strip() else piece for piece in pieces]
        return normalize("NFKD", "".join(said))

    def _piece(self, text: str) -> str:
        words = [
            (word["string"], _hiragana(_sounded(word["read"], word["pron"])))
            for word in self._read(text)
        ]
        unread = {orig for orig, hira in words if _KANJI.search(orig) and not _KANA.search(hira)}
        for orig in unread - self._told:
            _tell(orig)
        self._told |= unread
        return "".join(_spoken(orig, hira) for orig, hira in words if orig not in unread)


def _sounded(read: str, pron: str) -> str:
    """The reading as it is written, with the consonants that a counter changes: さんぼん."""
    heard = pron.replace("\N{RIGHT SINGLE QUOTATION MARK}", "")
    if len(heard) != len(read):
        return read
    pairs = zip(read, heard, strict=True)
    return "".join(new if _is_changed(old, new) else old for old, new in pairs)


def _is_changed(old: str, new: str) -> bool:
    return new == "ッ" or normalize("NFD", old)[0] == normalize("NFD", new)[0]


def _tell(characters: str) -> None:
    log.warning("no Japanese reading of %s; it is not spoken", characters)


def open_reader() -> JapaneseReader:
    return OpenJTalkReader() if find_spec("pyopenjtalk") is not None else DictionaryReader()


def prepared(text: str) -> str:
    """What a dictionary can read."""
    composed = normalize("NFKC", text.translate(_VARIANTS))
    return _TODAY.sub(_today, composed)


def _today(match: re.Match[str]) -> str:
    return "きょうは" if match["alone"] is None else "こんにちは"


def _hiragana(katakana: str) -> str:
    return katakana.translate(_KATAKANA_TO_HIRAGANA)


def _spoken(orig: str, hira: str) -> str:
    """Upstream's rule: a word with kanji in hiragana, behind a space where it could be taken for a
    particle. Other words stay."""
    if not _KANJI.search(orig):
        return orig
    return f" {hira}" if hira[:1] in ("は", "へ") else hira
