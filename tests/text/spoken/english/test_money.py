"""Money in English is said with its cents, its scale and what it is paid for."""

import pytest

from tests.support.spoken import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It is $1.01.", "It is one dollar and one cent."),
        ("£0.01", "one penny"),
        ("$5-10 million", "five to ten million dollars"),
        ("€3,50", "three euros and fifty cents"),
        ("CA$1,234.50", "one thousand two hundred thirty-four Canadian dollars and fifty cents"),
        ("-$3", "minus three dollars"),
        ("$100/month", "one hundred dollars per month"),
        ("$1.5k and £2m", "one point five thousand dollars and two million pounds"),
        ("50p", "fifty pence"),
        ("$5.00", "five dollars"),
        ("¥12.50", "twelve point five zero yen"),
        ("5$ or 5€.", "five dollars or five euros."),
    ],
)
def test_money_is_said(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "$1.234.567",
            "one million two hundred thirty-four thousand five hundred sixty-seven dollars",
        ),
        (
            "₹1,20,000.78",
            "one lakh twenty thousand rupees and seventy-eight paise",
        ),
        ("₹1,50,000", "one lakh fifty thousand rupees"),
        ("₹5 lakh, ₹2 crore", "five lakh rupees, two crore rupees"),
        ("Rs.500", "five hundred rupees"),
        ("Rs 500", "five hundred rupees"),
        ("It costs 500 Rs. It is.", "It costs five hundred rupees. It is."),
        ("€3,50", "three euros and fifty cents"),
    ],
)
def test_money_grouped_with_points_or_in_lakhs_is_one_amount(text, words):
    assert said(text) == words
