"""When silence is sent for sound that is late."""

import asyncio
from types import SimpleNamespace

from app.api import gaps
from app.api.gaps import LATE_S, LATEST_S, GapClock, fill_gaps


def test_a_filler_is_due_when_sound_is_owed_and_late_and_again_as_late():
    clock = GapClock(0.0)
    assert not clock.is_due(LATE_S / 2, 0.0, is_owed=True)
    assert clock.is_due(LATE_S, 0.0, is_owed=True)
    assert not clock.is_due(LATE_S * 1.5, 0.0, is_owed=True)
    assert clock.is_due(LATE_S * 2, 0.0, is_owed=True)


def test_sound_begins_the_time_anew():
    clock = GapClock(0.0)
    assert not clock.is_due(1.0, 0.2, is_owed=True)
    assert not clock.is_due(LATE_S, 0.2, is_owed=True)
    assert clock.is_due(1.0 + LATE_S, 0.2, is_owed=True)


def test_a_listener_who_still_plays_gets_no_silence_in_between():
    """A paced stream rests for as long as its longest chunk lasts."""
    clock = GapClock(0.0)
    assert not clock.is_due(0.0, 3.6, is_owed=True)
    assert not clock.is_due(2.1, 3.6, is_owed=True)


def test_but_for_one_whose_client_would_give_up():
    clock = GapClock(0.0)
    clock.is_due(0.0, 3.6, is_owed=True)
    assert clock.is_due(LATEST_S, 3.6, is_owed=True)


def test_nothing_is_due_while_nothing_is_owed():
    clock = GapClock(0.0)
    assert not clock.is_due(LATE_S * 9, 0.0, is_owed=False)
    assert not clock.is_due(LATE_S * 9.5, 0.0, is_owed=True)


def test_the_gap_is_filled_before_pipecat_gives_up():
    assert LATE_S + gaps.LOOK_EVERY_S < 3.0
    assert LATEST_S + gaps.LOOK_EVERY_S < 3.0


async def test_the_filling_ends_with_the_context(monkeypatch):
    monkeypatch.setattr(gaps, "LATE_S", 0.0)
    monkeypatch.setattr(gaps, "LOOK_EVERY_S", 0.001)
    context = SimpleNamespace(is_done=False, heard_s=0.0, owes_sound=True)
    sent = []

    async def send():
        sent.append(True)
        context.is_done = len(sent) == 2

    await asyncio.wait_for(fill_gaps(context, send), 5)
    assert len(sent) == 2
