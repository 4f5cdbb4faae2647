from app.text.duration import chars_within, predicted_s


def test_a_text_that_must_fit_is_expected_to_sound_slower_than_usual():
    assert chars_within(20.0) == 200
    assert predicted_s(chars_within(20.0)) < 20.0
