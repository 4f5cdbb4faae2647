"""The embedded recogniser itself. Its words on the recorded call are in docs/hearing.md."""

import time
from itertools import pairwise

import pytest

from app.errors import ConfigError
from app.hearing.pocketsphinx_recogniser import PocketsphinxRecogniser
from benchmarks.recorded_call import read_call, s16le

pytestmark = pytest.mark.full

FRAME_BYTES = 1024


@pytest.fixture(scope="module")
def recogniser():
    return PocketsphinxRecogniser()


@pytest.fixture(scope="module")
def stop_please():
    call = read_call()
    moment = next(each for each in call.moments if each.text == "Stop, please.")
    return s16le([call.cut(moment.began_s - 0.3, moment.ended_s + 0.4)])


def frames(sound):
    return [sound[at : at + FRAME_BYTES] for at in range(0, len(sound), FRAME_BYTES)]


def heard(recogniser, sound):
    partials = [recogniser.accept(frame) for frame in frames(sound)]
    return [text for text in partials if text is not None], recogniser.final()


def test_words_are_heard_while_they_are_spoken_and_at_the_end(recogniser, stop_please):
    recogniser.forget()
    partials, final = heard(recogniser, stop_please)
    assert "stop" in final.split()
    assert partials
    assert all(one != two for one, two in pairwise(partials))


def test_an_utterance_is_open_from_its_first_sound_to_its_end(recogniser, stop_please):
    recogniser.forget()
    assert not recogniser.live()
    recogniser.accept(stop_please[:FRAME_BYTES])
    assert recogniser.live()
    recogniser.final()
    assert not recogniser.live()
    assert recogniser.final() == ""


def test_an_abort_does_not_wait_for_a_second_pass(recogniser, stop_please):
    for frame in frames(stop_please * 3):
        recogniser.accept(frame)
    began_s = time.process_time()
    recogniser.abort()
    assert time.process_time() - began_s < 0.1  # with second passes 0.24 s for 5 s of sound
    assert not recogniser.live()
    recogniser.abort()


def test_nothing_of_an_aborted_utterance_is_in_the_next(recogniser, stop_please):
    recogniser.forget()
    expected = heard(recogniser, stop_please)
    recogniser.forget()
    for frame in frames(stop_please)[:20]:
        recogniser.accept(frame)
    recogniser.forget()
    assert heard(recogniser, stop_please) == expected


def test_silence_has_no_words(recogniser):
    recogniser.forget()
    partials, final = heard(recogniser, bytes(FRAME_BYTES * 30))
    assert (partials, final) == ([], "")


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="recogniser_model"):
        PocketsphinxRecogniser(str(tmp_path))
