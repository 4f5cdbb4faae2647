"""The table of make interop, and what it counts."""

import pytest

from interop.orders import Order, Turn
from interop.rows import CLIENTS, Row, table
from interop.scenario import LONG
from interop.sessions import Session, waste_of


def session(session_id, received_s, *, stopped_s=None, num_tokens=50, steps_after=0):
    marks = {"received": received_s}
    if stopped_s is not None:
        marks["t3_stopped"] = stopped_s
    return Session(session_id, 1.0, num_tokens, steps_after, marks)


def test_a_barge_in_lasts_until_t3_has_stopped_the_turn():
    sessions = [session("other-0-0", 1.0, stopped_s=99.0), session("s-0-1", 10.0, stopped_s=12.05)]
    waste = waste_of(sessions, 9.0, 12.0)
    assert waste.stop_ms == pytest.approx(50)
    assert waste.num_tokens == 0


def test_t3_that_had_nothing_to_do_stops_at_once():
    assert waste_of([session("s-0-0", 10.0)], 9.0, 12.0) == (0.0, 0)


def test_later_takes_of_a_turn_that_nobody_stopped_are_waste():
    sessions = [
        session("s-0-0", 10.0, steps_after=1),
        session("s-0-1", 13.0, num_tokens=40),
        session("s-1-0", 13.5, num_tokens=70),  # the next turn
    ]
    assert waste_of(sessions, 9.0, 12.0) == (0.0, 41)


def test_a_row_without_trouble_works():
    good = Row("a", heard_s=8.4, sent_s=8.4, first_sound_ms=[300.0, 500.0], stop_ms=[0.0, 40.0])
    bad = Row("b", heard_s=8.4, sent_s=8.4, trouble=["half of it was lost"], fault="**silent**")
    head, _, first, second = table([good, bad], 90).splitlines()
    assert len({line.count("|") for line in (head, first, second)}) == 1
    assert "| yes | 8.40 / 8.40 s | 400 ms |" in first
    assert "40 ms (2)" in first
    assert "**no**" in second


def test_every_client_has_a_name_of_its_own():
    assert len({client.label for client in CLIENTS}) == len(CLIENTS) == 13


async def test_a_turn_counts_sound_in_seconds_and_is_over_some_time_after_the_first(capsys):
    at_s = 10.0
    turn = Turn(Order("interrupt", LONG, after_s=0.5), lambda: at_s)
    turn.sound(0, 24_000)
    assert turn.heard.first_sound_s is None
    turn.sound(12_000, 24_000)
    turn.sound(22_050, 44_100)
    assert (turn.heard.sound_s, turn.heard.first_sound_s) == (1.0, 10.0)
    assert not turn.is_over
    at_s = 10.5
    assert turn.is_over
    assert capsys.readouterr().out == '{"event": "sound"}\n'
