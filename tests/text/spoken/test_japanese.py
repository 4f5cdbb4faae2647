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
    ],
)
def test_a_form_is_said(text, words):
    assert said(text, "ja") == words
