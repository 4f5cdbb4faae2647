"""A conversation with all that a server has: its recogniser, its model that speaks, and the echo
that stands in for a language model."""

import numpy as np
import pytest
from playwright.sync_api import expect

from app.config import ServeArgs
from app.conversation.echo import Echo
from app.engine.synthesizer import LocalSynthesizer
from app.hearing_settings import HearingSettings
from benchmarks.recorded_call import RATE, read_call
from tests.support.browser import launched, needs_chromium
from tests.support.lazy_hearing import LazyHearing
from tests.support.room import needs_pulseaudio, quiet_room
from tests.support.web_page import SOUND_ON, picture_folder
from tests.support.web_talk import ALLOWED, talk_page

pytestmark = [pytest.mark.long, needs_chromium, needs_pulseaudio]

WITHIN_MS = 60_000
SIZE = {"width": 1000, "height": 900}


def said(number):
    """An interruption of the recorded call, with silence behind it."""
    call = read_call()
    moment = call.of_kind("interruption")[number]
    return np.concatenate([call.cut(moment.began_s, moment.ended_s), np.zeros(RATE, np.int16)])


@pytest.fixture
def room(tmp_path):
    with quiet_room(tmp_path) as room:
        yield room


def test_a_person_talks_with_the_page_and_interrupts_it(playwright, room, tmp_path_factory):
    synthesizer = LocalSynthesizer.open(ServeArgs(model="embedded"))
    hearing = LazyHearing(HearingSettings())
    with (
        launched(playwright, SOUND_ON, ALLOWED, sound_server=room.environment) as browser,
        talk_page(browser, synthesizer, hearing=hearing, model=Echo()) as talk,
    ):
        talk.page.set_viewport_size(SIZE)
        talk.page.click("#talk")
        talk.state("It listens.")
        expect(talk.page.locator("#panel-talk")).to_contain_text("no language model")
        room.speak(said(8), RATE)
        talk.page.wait_for_function("() => window.states.includes('It speaks.')", timeout=WITHIN_MS)
        room.speak(said(1), RATE)
        chain = talk.page.locator("caption:text-is('The interruption, in the server')")
        expect(chain).to_have_count(1, timeout=WITHIN_MS)
        assert talk.page.locator(".transcript li").count() >= 2
        folder = picture_folder(tmp_path_factory)
        talk.page.locator("#panel-talk").screenshot(path=folder / "page-talk.png")
        hearing.close()
    synthesizer.close()
