"""Invisible and compatibility characters, emoji, and characters that a model cannot read."""

# ruff: noqa: RUF001

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.text.characters import EMOJI, UNREADABLE, folded, readable, without_emoji
from app.text.spans import SpannedText
from app.text.ssml import PAUSE

ASCII = frozenset(string.printable)
RUSSIAN = frozenset(" абвгдеёжзийклмнопрстуфхцчшщъыьэюя\u0306\u0308.,")


def rewritten(text, replacements):
    return SpannedText.of(text).replaced(replacements).text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("soft\u00adhyphen", "softhyphen"),
        ("zero\u200bwidth\u200cnon\u200djoiners\u2060\ufeff", "zerowidthnonjoiners"),
        ("\u202aleft\u202c \u200fright\u200e", "left right"),
        ("a\x00b\x07c\x7f", "abc"),
        ("half\ud800 a pair", "half a pair"),
        ("ve\ufe0fry\U000e0101", "very"),
        ("private\ue001 \U000f0000use", "private use"),
        ("السـلام", "السلام"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ １２３＄％", "Full width 123$%"),
        ("𝐛𝐨𝐥𝐝 𝓈𝒸𝓇𝒾𝓅𝓉 𝚖𝚘𝚗𝚘", "bold script mono"),
        ("ﬁne oﬄine Ĳ", "fine offline IJ"),
        ("①②", "12"),
        ("Ⅷ ㎏ ㎡ ℃ №5", "VIII kg m² °C №5"),
        ("ｶﾞｷﾞ ﾊﾟ", "ガギ パ"),
        ("cafe\u0301 u\u0308ber", "café über"),
        ("\u1112\u1161\u11ab", "한"),
        ("ﷲ ﻼ", "الله لا"),
        ("a\u00a0b\u2009c\u202fd", "a b c d"),
        ("１２：３０ １，０００ ３．５", "12:30 1,000 3.5"),
    ],
)
def test_nobody_hears_what_cannot_be_seen_or_is_another_form(text, words):
    assert rewritten(text, folded(text)) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("比分是3:2，3-5天", "比分是3:2，3-5天"),
        ("10:05，12月", "10:05，12月"),
        ("-5，100%", "-5，100%"),
        ("3-5，100个", "3-5，100个"),
        ("大约20，30人", "大约20，30人"),
        ("$100，200美元", "$100，200美元"),
        ("2000，300人", "2000，300人"),
        ("１，０００，０００元", "1,000,000元"),
        ("$1，000的", "$1,000的"),
    ],
)
def test_a_full_width_comma_is_in_a_number_only_before_thousands(text, words):
    assert rewritten(text, folded(text)) == words


@pytest.mark.parametrize(
    "text",
    [
        "Plain text, with 1 line.\nAnd another.",
        "naïve Ærø – “quoted” … done",
        "½ ² ³ º ª ™",  # the spoken forms read them
        "你好，世界！（是）：好；",
        "नमस्ते ภาษาไทย 한국어",
        f"a{PAUSE}b",
    ],
)
def test_ordinary_characters_stay(text):
    assert folded(text) == []


@pytest.mark.parametrize(
    ("text", "words", "num_dropped"),
    [
        ("Hi 🙂 there", "Hi  there", 1),
        ("👩‍👩‍👧 family", " family", 1),
        ("🇩🇪🇫🇷", "", 2),
        ("Great 🙂!", "Great!", 1),
        ("one🙂two", "one two", 1),
        ("#1 and 5*", "#1 and 5*", 0),
    ],
)
def test_emoji_are_dropped_whole_and_told(text, words, num_dropped):
    replacements = without_emoji(text)
    assert rewritten(text, replacements) == words
    assert [each.dropped for each in replacements if each.dropped] == [EMOJI] * num_dropped


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("café Ærø Straße Łódź", "cafe Aero Strasse Lodz"),
        ("“quoted” – it’s…", '"quoted" - it\'s...'),
        ("，。！？：（）", ",.!?:()"),
        ("٣ and ३", "3 and 3"),
        ("½ x²", "1/2 x2"),
        ("ÉTÉ", "ETE"),
    ],
)
def test_what_the_model_cannot_read_is_folded_where_it_can(text, words):
    replacements = readable(text, ASCII, None, folds=False)
    assert rewritten(text, replacements) == words
    assert not any(each.dropped for each in replacements)


def test_a_run_that_cannot_be_folded_is_dropped_and_told_once():
    text = "Привет world 你好 ☃"
    replacements = readable(text, ASCII, None, folds=False)
    assert rewritten(text, replacements) == " world  "
    dropped = [text[each.start : each.end] for each in replacements if each.dropped]
    assert dropped == ["Привет", "你好", "☃"]
    assert {each.dropped for each in replacements} == {UNREADABLE}


def test_a_model_that_folds_reads_capitals_and_accents_by_itself():
    assert readable("Ёлка, йод.", RUSSIAN, "ru", folds=True) == []
    assert readable("Ёлка", RUSSIAN, "ru", folds=False) != []


def test_chinese_and_japanese_characters_are_read_in_their_languages():
    assert readable("你好", ASCII, "zh", folds=True) == []
    assert readable("必ずカナ", ASCII, "ja", folds=True) == []
    assert readable("你好", ASCII, "en", folds=True) != []


@pytest.mark.parametrize(("text", "dropped"), [("必ず髙橋さん", 0), ("山𪚥川", 1), ("々〆", 0)])
def test_kanji_without_a_reading_are_dropped_and_told(text, dropped):
    found = readable(text, ASCII, "ja", folds=True)
    assert sum(each.end - each.start for each in found) == dropped


@given(st.text(max_size=80))
def test_nothing_unreadable_is_left(text):
    left = rewritten(text, readable(text, ASCII, None, folds=False))
    assert all(char in ASCII or char.isspace() or char == PAUSE for char in left)


@given(st.text(max_size=80))
def test_folding_twice_changes_nothing_more(text):
    once = rewritten(text, folded(text))
    assert rewritten(once, folded(once)) == once
