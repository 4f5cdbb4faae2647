"""The hearing of a call by voice activity and by push to talk, on a scripted recogniser."""

import asyncio
from dataclasses import replace

import pytest

from app.errors import BadRequest, Overloaded
from app.hearing.call import CallEars
from app.hearing.ears import (
    FinalText,
    HearingFailed,
    Listening,
    PartialText,
    SoundFormat,
    SpeechBegan,
    SpeechEnded,
    SpeechLasted,
    TurnDetection,
)
from app.hearing_settings import HearingSettings
from tests.support.ears import FRAME_S, SOUND, Listener, LoudDetector
from tests.support.inline_host import InlineHost
from tests.support.scripted_recogniser import frame_saying

TURNS = TurnDetection(prefix_s=2 * FRAME_S, silence_s=4 * FRAME_S)


@pytest.fixture(autouse=True)
def _loudness_is_voice(monkeypatch):
    monkeypatch.setattr("app.hearing.call.new_detector", lambda _: LoudDetector())


def kinds(events):
    return [type(event) for event in events]


def texts(events):
    return [event.text for event in events if isinstance(event, FinalText)]


async def test_a_voice_is_heard_from_its_beginning_to_its_end():
    listener = await Listener.open(turns=TURNS)
    await listener.say(*[0] * 10, 1, 2, 3, 4, *[0] * 5)
    events = await listener.settled()
    assert kinds(events)[:2] == [SpeechBegan, Listening]
    assert kinds(events)[-2:] == [SpeechEnded, FinalText]
    began, ended = events[0], events[-2]
    assert (began.generation, began.began_s) == (1, pytest.approx(10 * FRAME_S))
    assert began.noticed_s == pytest.approx(13 * FRAME_S)
    assert ended.ended_s == pytest.approx(14 * FRAME_S)
    assert ended.noticed_s == pytest.approx(18 * FRAME_S)
    assert events[-1].text == "1 2 3 4"
    await listener.aclose()


async def test_a_voice_that_lasts_is_told_between_its_beginning_and_its_end():
    turns = replace(TURNS, lasting_s=6 * FRAME_S)
    listener = await Listener.open(turns=turns)
    await listener.say(*[1] * 3, *[0] * 5, *[2] * 8, *[0] * 5)
    spoken = (SpeechBegan, SpeechLasted, SpeechEnded)
    told = [type(event) for event in await listener.settled() if isinstance(event, spoken)]
    assert told == [SpeechBegan, SpeechEnded, *spoken]
    await listener.aclose()


async def test_the_beginning_lies_before_its_notice_on_the_clock_too():
    listener = await Listener.open(turns=TURNS)
    await listener.say(0, 1, 2, 3)
    began = (await listener.settled())[0]
    assert began.noticed_at_s - began.began_at_s == pytest.approx(3 * FRAME_S)
    await listener.aclose()


async def test_the_recogniser_hears_the_prefix_and_no_more():
    host = InlineHost()
    listener = await Listener.open(host, TURNS)
    await listener.say(*[0] * 50, 1, 2, 3)
    assert host.links[0].recogniser.num_accepted == 2 + 3
    await listener.aclose()


@pytest.mark.full
async def test_an_hour_of_silence_costs_nothing_and_says_nothing():
    host = InlineHost()
    listener = await Listener.open(host, TURNS)
    silence = bytes(32_000 * 60)
    for _ in range(60):
        await listener.ears.accept(silence)
    assert await listener.settled() == []
    assert host.links[0].recogniser.num_accepted == 0
    await listener.say(1, 2, 3)
    began = (await listener.settled())[0]
    assert began.began_s == pytest.approx(3600, abs=0.04)
    await listener.aclose()


async def test_utterances_are_numbered():
    listener = await Listener.open(turns=TURNS)
    for _ in range(3):
        await listener.say(7, 7, 7, *[0] * 5)
    began = [e for e in await listener.settled() if isinstance(e, SpeechBegan)]
    assert [event.generation for event in began] == [1, 2, 3]
    assert texts(listener.events) == ["7 7 7"] * 3
    await listener.aclose()


async def test_a_long_speech_is_heard_as_several_utterances():
    settings = HearingSettings(max_utterance_s=1.5)
    listener = await Listener.open(turns=TURNS, settings=settings)
    await listener.say(*[5] * 100, *[0] * 5)
    await listener.settled()
    assert len(texts(listener.events)) == 3
    assert " ".join(texts(listener.events)).split() == ["5"] * 100
    await listener.aclose()


async def test_push_to_talk_ends_with_the_commit():
    listener = await Listener.open()
    await listener.say(1, 2)
    assert await listener.ears.commit() == 1
    await listener.say(3)
    assert await listener.ears.commit() == 2
    assert await listener.ears.commit() is None
    events = await listener.settled()
    assert texts(events) == ["1 2", "3"]
    assert not {SpeechBegan, SpeechEnded} & set(kinds(events))
    await listener.aclose()


async def test_a_commit_has_the_last_half_frame():
    listener = await Listener.open()
    await listener.ears.accept(frame_saying(1) + frame_saying(2)[:200])
    await listener.ears.commit()
    (final,) = [e for e in await listener.settled() if isinstance(e, FinalText)]
    assert final.text == "1 2"
    assert final.audio_s == pytest.approx((512 + 100) / 16_000)
    await listener.aclose()


async def test_a_push_that_never_ends_fails_and_the_next_is_heard():
    listener = await Listener.open(settings=HearingSettings(max_utterance_s=1.5))
    await listener.say(*[5] * 100)
    await listener.ears.commit()
    await listener.say(6)
    await listener.ears.commit()
    events = await listener.settled()
    failed = [event for event in events if isinstance(event, HearingFailed)]
    assert [event.code for event in failed] == ["utterance_too_long"]
    assert texts(events) == ["6"]
    await listener.aclose()


async def test_what_was_cleared_is_forgotten():
    listener = await Listener.open()
    await listener.say(1, 2)
    await listener.ears.clear()
    await listener.say(3)
    await listener.ears.commit()
    assert texts(await listener.settled()) == ["3"]
    await listener.aclose()


async def test_a_clear_leaves_the_utterance_before_it():
    host = InlineHost(is_held=True)
    listener = await Listener.open(host)
    await listener.say(1)
    await listener.ears.commit()
    await listener.say(2)
    await listener.ears.clear()
    host.links[0].work()
    assert texts(await listener.settled()) == ["1"]
    await listener.aclose()


async def test_nothing_of_an_aborted_utterance_is_delivered():
    host = InlineHost(is_held=True)
    listener = await Listener.open(host)
    await listener.say(1, 2)
    await listener.ears.commit()
    await listener.settled()
    listener.events.clear()
    host.links[0].work()  # its words are on their way
    aborting = asyncio.ensure_future(listener.ears.abort(1))
    host.links[0].is_held = False
    await asyncio.sleep(0)
    host.links[0].work()
    await aborting
    assert await listener.settled() == []
    await listener.aclose()


async def test_a_barge_in_drops_what_was_heard_before_it_alone():
    listener = await Listener.open(turns=TURNS)
    await listener.say(7, 7, 7, *[0] * 5, 8, 8, 8)
    began = [e for e in await listener.settled() if isinstance(e, SpeechBegan)][-1]
    await listener.ears.abort(began.generation - 1)
    await listener.say(8, *[0] * 5)
    assert texts(await listener.settled())[-1] == "8 8 8 8"
    await listener.aclose()


async def test_an_abort_says_when_the_recogniser_was_free():
    listener = await Listener.open()
    await listener.say(1)
    aborted = await listener.ears.abort(1)
    assert aborted.up_to == 1
    assert aborted.aborted_at_s <= aborted.freed_at_s
    again = await listener.ears.abort(1)
    assert again.freed_at_s is None
    await listener.aclose()


async def test_a_voice_that_goes_on_after_an_abort_is_another_utterance():
    listener = await Listener.open(turns=TURNS)
    await listener.say(1, 2, 3)
    await listener.ears.abort(1)
    await listener.say(4, 5, 6, *[0] * 5)
    assert texts(await listener.settled()) == ["4 5 6"]
    await listener.aclose()


async def test_another_format_goes_on_in_the_same_utterance_and_time():
    listener = await Listener.open(turns=TURNS)
    await listener.say(*[0] * 10, 1, 2, 3)
    await listener.ears.configure(SoundFormat("mulaw", 8_000), TURNS)
    await listener.ears.accept(b"\x00" * 256 * 3)  # loud, 3 frames
    await listener.ears.accept(b"\xff" * 256 * 6)  # silent
    events = await listener.settled()
    ended = next(event for event in events if isinstance(event, SpeechEnded))
    assert ended.generation == 1
    assert ended.ended_s == pytest.approx(16 * FRAME_S, abs=FRAME_S)
    await listener.aclose()


async def test_other_turns_forget_the_open_utterance():
    listener = await Listener.open()
    await listener.say(1, 2)
    await listener.ears.configure(SOUND, TURNS)
    await listener.say(3, 4, 5, *[0] * 5)
    assert texts(await listener.settled()) == ["3 4 5"]
    await listener.aclose()


async def test_the_same_configuration_changes_nothing():
    listener = await Listener.open()
    await listener.say(1)
    await listener.ears.configure(SOUND, None)
    await listener.ears.commit()
    assert texts(await listener.settled()) == ["1"]
    await listener.aclose()


async def test_a_rate_that_cannot_be_heard_is_refused_and_changes_nothing():
    host = InlineHost()
    with pytest.raises(BadRequest):
        await CallEars.open(HearingSettings(), host, SoundFormat("s16le", 96_000), None)
    assert host.links == []
    listener = await Listener.open(host)
    await listener.say(1)
    with pytest.raises(BadRequest):
        await listener.ears.configure(SoundFormat("s16le", 4_000), None)
    await listener.ears.commit()
    assert texts(await listener.settled()) == ["1"]
    await listener.aclose()


async def test_a_call_too_many_is_refused_and_the_next_one_gets_the_place_of_one_that_left():
    host = InlineHost(num_recognisers=1)
    first = await Listener.open(host)
    with pytest.raises(Overloaded):
        await Listener.open(host)
    await first.aclose()
    second = await Listener.open(host)
    await second.aclose()


@pytest.mark.parametrize("num_said", [0, 1, 3])
async def test_a_call_that_leaves_in_any_state_frees_its_recogniser(num_said):
    host = InlineHost(is_held=True)
    listener = await Listener.open(host)
    await listener.say(*[1] * num_said)
    if num_said == 3:
        await listener.ears.commit()
    await listener.aclose()
    await listener.ears.aclose()
    await listener.say(1)
    assert host.live_links == []


async def test_partials_come_in_the_order_of_the_words():
    listener = await Listener.open()
    await listener.say(1, 2, 3)
    partials = [e.text for e in await listener.settled() if isinstance(e, PartialText)]
    assert partials == ["1", "1 2", "1 2 3"]
    await listener.aclose()
