"""The page's own sound comes back through the microphone: a room with a loudspeaker and a listener,
the browser's own echo canceller, and the server's own voice activity."""

import numpy as np
import pytest
import soxr
from playwright.sync_api import expect

from app.core import SAMPLE_RATE
from app.hearing.hearing import LocalHearing
from app.hearing_settings import HearingSettings
from benchmarks.recorded_call import RATE, read_call
from tests.support.browser import launched, needs_chromium
from tests.support.inline_host import InlineHost
from tests.support.live_synthesizer import CHUNK_TOKENS, LiveSynthesizer
from tests.support.room import needs_pulseaudio, quiet_room
from tests.support.timed_text import TOKEN
from tests.support.web_page import SOUND_ON
from tests.support.web_talk import ALLOWED, talk_page

# Long: the canceller works in real time, and a machine with other work makes it miss the echo.
pytestmark = [pytest.mark.long, needs_chromium, needs_pulseaudio]

SHORT, LONG = 20, 200  # chunks of an answer: 4 s, and more than is sent before somebody interrupts
WITHOUT_CANCELLER = """() => {
    const ask = MediaDevices.prototype.getUserMedia;
    MediaDevices.prototype.getUserMedia = function ({ audio }) {
        return ask.call(this, { audio: { ...audio, echoCancellation: false } });
    };
}"""


class OneWord:
    """A recogniser for which every utterance is a word."""

    def __init__(self):
        self._is_live = False

    def accept(self, pcm):
        is_new, self._is_live = not self._is_live, True
        return "word" if is_new else None

    def final(self):
        was_live, self._is_live = self._is_live, False
        return "word" if was_live else ""

    def abort(self):
        self._is_live = False

    def live(self):
        return self._is_live

    def forget(self):
        self.abort()


def voice(name):
    """All that a speaker of the recorded call says."""
    call = read_call()
    moments = [each for each in call.of_kind("interruption") if each.voice == name]
    return np.concatenate([call.cut(each.began_s, each.ended_s) for each in moments])


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    with quiet_room(tmp_path_factory.mktemp("room")) as room:
        yield room


@pytest.fixture(scope="module")
def synthesizer():
    """It speaks with the voice of a person, over and over."""
    spoken = soxr.resample(voice("slt").astype(np.float32) / 32768, RATE, SAMPLE_RATE)
    spoken = np.resize(spoken / np.abs(spoken).max() / 2, LONG * CHUNK_TOKENS * TOKEN)
    return LiveSynthesizer(SHORT, sound=lambda num, start: spoken[start : start + num])


@pytest.fixture
def talk(playwright, room, synthesizer):
    hearing = LocalHearing(HearingSettings(), InlineHost(made=OneWord))
    with (
        launched(playwright, SOUND_ON, ALLOWED, sound_server=room.environment) as browser,
        talk_page(browser, synthesizer, "A long answer.", hearing=hearing) as talk,
    ):
        yield talk


def asked(talk, room):
    """The listener says something, and the answer begins."""
    room.speak(voice("awb")[:RATE], RATE)
    talk.state("It speaks.")


def interrupted(talk):
    return talk.page.locator(".transcript li", has_text="(interrupted)").count()


def test_an_answer_does_not_interrupt_itself_and_a_voice_in_the_room_does(talk, room, synthesizer):
    synthesizer.num_chunks = SHORT
    talk.page.click("#talk")
    talk.state("It listens.")
    asked(talk, room)
    talk.page.wait_for_function("() => window.states.at(-1) !== 'It speaks.'")
    talk.state("It listens.")
    assert interrupted(talk) == 0
    synthesizer.num_chunks = LONG
    asked(talk, room)
    room.speak(voice("rms")[:RATE], RATE)
    talk.page.wait_for_selector(".transcript li:has-text('(interrupted)')")
    talk.page.wait_for_selector("caption:text-is('The interruption, in the server')")


def test_without_the_canceller_an_answer_interrupts_itself(talk, room):
    talk.page.evaluate(WITHOUT_CANCELLER)
    talk.page.click("#talk")
    talk.state("It listens.")
    expect(talk.page.locator("#panel-talk")).to_contain_text("Wear headphones")
    asked(talk, room)
    talk.page.wait_for_selector(".transcript li:has-text('(interrupted)')")
