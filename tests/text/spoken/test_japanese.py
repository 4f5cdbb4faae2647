"""Japanese forms become kanji, which the model's reader reads."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0から10まで", "ゼロから十まで"),
        ("気温-5°C", "気温マイナス五度"),
        ("バージョン2.0.1", "バージョン二点ゼロ点一"),
        ("3〜5日、10:00〜17:00", "三から五日、十時から十七時"),
        ("¥1,234と20人", "千二百三十四円と二十人"),
        ("数字はない。", "数字はない。"),
        ("GPT-4oとCOVID-19", "GPT四oとCOVID十九"),
        ("芝公園1-2-3です", "芝公園一の二の三です"),
        ("新宿2-8に", "新宿二の八に"),
        ("〒105-0011", "郵便番号一ゼロ五のゼロゼロ一一"),
        ("0120-123-456", "ゼロ一二ゼロの一二三の四五六"),
        ("3-2で勝ち", "三対二で勝ち"),
        ("2024-01-05と3-5日と-3度", "二千二十四年一月五日と三から五日とマイナス三度"),
        ("v2.0.1は", "v二点ゼロ点一は"),
        ("見てhttps://a.com。", "見てa ドット com。"),
    ],
)
def test_a_form_is_said(text, words):
    assert said(text, "ja") == words
