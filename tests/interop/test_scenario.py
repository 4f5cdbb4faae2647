"""Whether a turn in which the vocoder was killed lost anything."""

import pytest

from interop.orders import SENTENCES, Heard
from interop.rows import Row
from interop.scenario import LONG, is_whole
from interop.sessions import Session

PACE_S = 0.06  # of a character
ROW = Row("a client", heard_s=PACE_S * len(" ".join(SENTENCES)))
WHOLE_S = PACE_S * len(" ".join(LONG))


def session(audio_s, *, is_complete=True):
    return Session("s", audio_s, 0, 0, {}, is_complete)


def test_a_turn_that_was_heard_to_its_end_lost_nothing():
    assert is_whole(Heard(sound_s=WHOLE_S), [session(WHOLE_S / 2)] * 2, ROW)


@pytest.mark.parametrize(
    ("heard_s", "sessions"),
    [
        (WHOLE_S, [session(WHOLE_S), session(0.0, is_complete=False)]),  # a sentence failed
        (WHOLE_S / 2, [session(WHOLE_S)]),  # sound was lost on the way
        (WHOLE_S / 2, [session(WHOLE_S / 2)]),  # sentences were never asked for
    ],
)
def test_a_turn_without_its_end_lost_something(heard_s, sessions):
    assert not is_whole(Heard(sound_s=heard_s), sessions, ROW)


def test_nothing_is_known_without_the_usual_pace():
    assert not is_whole(Heard(sound_s=WHOLE_S), [session(WHOLE_S)], Row("a client"))
