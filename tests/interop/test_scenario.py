"""What became of a turn in which the vocoder was killed."""

import pytest

from interop.orders import Heard
from interop.rows import Row
from interop.scenario import LONG, SAID, outcome_of, speak, wrong_requests, wrong_words
from interop.sessions import Session, session_of

HALVES = (" ".join(LONG[:4]), " ".join(LONG[4:]))


def session(text, *, audio_s=2.0, is_complete=True):
    return Session("s", audio_s, 0, 0, {}, is_complete, tuple(text.split()))


WHOLE = [session(half) for half in HALVES]
CUT = session(HALVES[0], audio_s=1.0, is_complete=False)


def test_a_turn_that_was_heard_to_its_end_lost_nothing():
    assert outcome_of(Heard(sound_s=4.0), WHOLE) == "lost nothing"


def test_a_part_that_was_cut_off_and_spoken_again_was_asked_for_again():
    assert outcome_of(Heard(sound_s=5.0), [CUT, *WHOLE]) == "asked again"
    assert outcome_of(Heard(sound_s=4.0), [WHOLE[1], CUT, WHOLE[0]]) == "asked again"


@pytest.mark.parametrize(
    ("heard_s", "sessions"),
    [
        (3.0, [CUT, WHOLE[1]]),  # a part failed
        (3.0, WHOLE),  # sound was lost on the way
        (2.0, WHOLE[:1]),  # a part was never asked for
        (0.0, []),
    ],
)
def test_a_turn_without_its_end_is_silent(heard_s, sessions):
    assert outcome_of(Heard(sound_s=heard_s), sessions) == "**silent**"


@pytest.mark.parametrize("told", [[], SAID])
def test_the_words_of_the_text_are_right_whether_the_client_tells_them_or_not(told):
    sessions = [session(" ".join(SAID[:5])), session(" ".join(SAID[5:]))]
    assert wrong_requests(sessions) + wrong_words(Heard(words=told)) == []


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        (SAID[:-1], SAID),  # the client lost one
        ([*SAID[1:], SAID[0]], SAID),  # or told them in another order
        ([], SAID[:-1]),  # the server never got one
        ([], [*SAID, SAID[0]]),  # or twice
    ],
)
def test_words_that_are_lost_or_moved_are_wrong(told, asked):
    (wrong,) = wrong_requests([session(" ".join(asked))]) + wrong_words(Heard(words=told))
    assert "server" in wrong or "client" in wrong


@pytest.mark.parametrize(
    ("error", "told"), [("APIError: broken off", "told"), ("no end within 120 s", "no end")]
)
def test_an_error_is_the_outcome_whatever_was_heard(error, told):
    assert outcome_of(Heard(sound_s=4.0, error=error), WHOLE) == told


class Told:
    """A script and a log whose every turn is the same."""

    def __init__(self, words):
        self._heard = Heard(sound_s=4.0, words=words)

    def turn(self, order, within_s):
        return self._heard

    def news(self):
        return [session(" ".join(SAID), audio_s=4.0)]


@pytest.mark.parametrize(
    ("words", "told"), [([], "none"), (SAID, "in order"), (SAID[::-1], "out of order")]
)
def test_the_row_tells_how_the_clients_words_came(words, told):
    row = Row("a")
    speak(Told(words), Told(words), row)
    assert (row.words, len(row.trouble)) == (told, told == "out of order")


@pytest.mark.parametrize(
    ("finish", "is_complete"),
    [("stop", True), ("length", False), ("babble", False), ("cancelled", False), ("error", False)],
)
def test_a_session_is_complete_where_nothing_of_it_was_cut(finish, is_complete):
    report = {"session_id": "s", "audio_sent_ms": 1.0, "tokens_generated": 1, "marks": {}}
    report |= {"steps_after_abort": None, "finish": finish}
    assert session_of(report, ()).is_complete is is_complete
