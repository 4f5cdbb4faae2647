"""Chinese forms."""
# ruff: noqa: RUF001

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("他付了¥1,234.56。", "他付了一千二百三十四点五六元。"),
        ("电话13800138000，有110人。", "电话幺三八零零幺三八零零零，有一百一十人。"),
        ("2个人，第2名，2元", "两个人，第二名，两元"),
        ("版本2.0.1，10.05米", "版本二点零点一，十点零五米"),
        ("温度-5°C", "温度负五摄氏度"),
        ("2024-01-05 9:30", "二零二四年一月五日 九点三十分"),
        ("没有数字。", "没有数字。"),
        ("A & B", "A 和 B"),
    ],
)
def test_a_form_is_said(text, words):
    assert said(text, "zh") == words
