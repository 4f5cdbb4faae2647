"""Japanese text becomes the kana that the model was trained on."""

import logging
import sys
from types import ModuleType
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

    def __call__(self, text: str) -> list[dict[str, str]]:
        return [
            {"string": "花", "read": "ハナ"},
            {"string": "を", "read": "ヲ"},
            {"string": "カメラ", "read": "カメラ"},
        ]


def test_open_jtalk_reads_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("pyopenjtalk")
    module.run_frontend = Frontend()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyopenjtalk", module)
    monkeypatch.setattr("app.engine.checkpoint.japanese.find_spec", lambda name: name)
    reader = open_reader()
    assert isinstance(reader, OpenJTalkReader)
    assert kana(reader, "花をカメラ") == " はなをカメラ"


def test_pykakasi_reads_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engine.checkpoint.japanese.find_spec", lambda name: None)
    assert isinstance(open_reader(), DictionaryReader)
