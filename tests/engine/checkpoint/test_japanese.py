"""Japanese text becomes the kana that the model was trained on."""

import logging
import re
import sys
from types import ModuleType
from typing import ClassVar
from unicodedata import normalize

import pytest

from app.engine.checkpoint.japanese import (
    DictionaryReader,
    JapaneseReader,
    OpenJTalkReader,
    UpstreamReader,
    open_reader,
    prepared,
)

# pykakasi reads its dictionary carelessly.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def reader() -> JapaneseReader:
    return DictionaryReader()


def kana(reader: JapaneseReader, text: str) -> str:
    return normalize("NFC", reader.kana(text))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("必ず選ぶ。", "かならずえらぶ。"),
        ("本を選びます。", "ほんをえらびます。"),
        ("カタカナとひらがな", "カタカナとひらがな"),
    ],
)
def test_voiced_endings_are_read_because_characters_are_composed_first(
    reader: JapaneseReader, text: str, read: str
) -> None:
    assert kana(reader, text) == read


def test_upstreams_order_misreads_them() -> None:
    assert kana(UpstreamReader(), "必ず選ぶ。") != "かならずえらぶ。"


@pytest.mark.parametrize("text", ["髙橋さん", "高橋さん"])
def test_another_form_of_a_character_is_read_as_the_usual_one(
    reader: JapaneseReader, text: str
) -> None:
    assert kana(reader, text) == "たかはしさん"


def test_an_unknown_character_takes_no_neighbour_with_it_and_is_told_once(
    reader: JapaneseReader, caplog: pytest.LogCaptureFixture
) -> None:
    unknown = "\U00020b9f"
    with caplog.at_level(logging.WARNING):
        assert kana(reader, f"{unknown}山{unknown}川") == "やまかわ"
    assert [record.args for record in caplog.records] == [(unknown,)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("今日は雨です。", "きょうは"),
        ("今日は、雨です。", "きょうは"),
        ("今日は。", "こんにちは"),
        ("今日は", "こんにちは"),
    ],
)
def test_today_is_no_greeting_unless_it_stands_alone(
    reader: JapaneseReader, text: str, first: str
) -> None:
    assert kana(reader, text).startswith(first)


def test_full_width_letters_are_folded_before_the_look_up() -> None:
    assert prepared("\uff21\uff11\u3000b") == "A1 b"


class Frontend:
    """Stands for pyopenjtalk.run_frontend."""

    READINGS: ClassVar = {
        "花": "ハナ",
        "を": "ヲ",
        "カメラ": "カメラ",
        "龘": "、",
        "本": "ホン",
        "京": "キョウ",
    }
    SOUNDS: ClassVar = {"本": "ボン\N{RIGHT SINGLE QUOTATION MARK}", "京": "キョー"}

    def __call__(self, text: str) -> list[dict[str, str]]:
        words = re.findall("|".join(self.READINGS), text)
        return [
            {
                "string": word,
                "read": self.READINGS[word],
                "pron": self.SOUNDS.get(word, self.READINGS[word]),
            }
            for word in words
        ]


@pytest.fixture
def open_jtalk(monkeypatch: pytest.MonkeyPatch) -> JapaneseReader:
    module = ModuleType("pyopenjtalk")
    module.run_frontend = Frontend()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyopenjtalk", module)
    monkeypatch.setattr("app.engine.checkpoint.japanese.find_spec", lambda name: name)
    return open_reader()


def test_open_jtalk_reads_where_it_is_installed(open_jtalk: JapaneseReader) -> None:
    assert isinstance(open_jtalk, OpenJTalkReader)
    assert kana(open_jtalk, "花をカメラ") == " はなをカメラ"


def test_a_counter_is_sounded_and_long_vowels_are_as_written(open_jtalk: JapaneseReader) -> None:
    assert kana(open_jtalk, "本京") == "ぼんきょう"


def test_open_jtalk_keeps_spaces_and_tells_what_it_cannot_read(
    open_jtalk: JapaneseReader, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert kana(open_jtalk, "カメラ 龘カメラ 龘") == "カメラ カメラ "
    assert [record.args for record in caplog.records] == [("龘",)]


def test_pykakasi_reads_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engine.checkpoint.japanese.find_spec", lambda name: None)
    assert isinstance(open_reader(), DictionaryReader)


REAL = {  # pyopenjtalk-plus 0.4.1.post10 on 2026-11-30
    "三百本": "さんびゃっぽん",
    "必ず選ぶ": "かならずえらぶ",
    "髙橋さん": "たかはしさん",
    "今日は雨です": "きょうはあめです",
    "今日は": "こんにちは",
    "今年は": "ことしは",
    "私は行った": "わたしはいった",
    "一人で": "ひとりで",
    "二十歳": "はたち",
    "昨日行った": "きのういった",
}


@pytest.mark.parametrize("text", REAL)
def test_the_real_open_jtalk_reads_everyday_phrases(text: str) -> None:
    """Where the extra `japanese` is installed."""
    pytest.importorskip("pyopenjtalk", reason="the extra japanese is not installed")
    assert kana(OpenJTalkReader(), text).strip() == REAL[text]
