"""Marks from several processes become legs."""

from app.core import Mark
from app.sessions.timeline import (
    all_legs,
    cancel_legs,
    first_audio_legs,
    merged,
    real_time_factor,
)


def test_merged_marks_keep_the_first_beginning_and_the_last_end():
    one = {Mark.T3_TOLD: 5.0, Mark.LAST_STEP: 4.0}
    other = {Mark.T3_TOLD: 3.0, Mark.LAST_STEP: 6.0, Mark.RECEIVED: 1.0}
    assert merged(one, other) == {Mark.T3_TOLD: 3.0, Mark.LAST_STEP: 6.0, Mark.RECEIVED: 1.0}
    assert merged(other, one) == merged(one, other)


def test_the_legs_before_the_first_audio_add_up_to_it():
    order = [
        Mark.RECEIVED,
        Mark.CLAIMED,
        Mark.CONDITIONED,
        Mark.QUEUED,
        Mark.PREFILL,
        Mark.FIRST_TOKEN,
        Mark.FIRST_CELL,
        Mark.RELEASED,
        Mark.FIRST_BYTE,
    ]
    legs = first_audio_legs({mark: 10 + n**2 / 1000 for n, mark in enumerate(order)})
    whole = legs.pop("first_audio")
    assert len(legs) == len(order) - 1
    assert round(sum(legs.values()), 3) == whole == 64.0


def test_a_leg_without_both_marks_is_left_out():
    assert all_legs({Mark.RECEIVED: 1.0, Mark.FIRST_CELL: 2.0}) == {}
    stopped = {Mark.CANCEL_RECEIVED: 1.0, Mark.CANCEL_LOGGED: 1.002, Mark.T3_TOLD: 1.005}
    assert cancel_legs(stopped) == {"cancel_to_registry": 2.0, "cancel_to_t3": 3.0}


def test_the_real_time_factor_counts_until_the_last_sound_is_made():
    marks = {Mark.RECEIVED: 10.0, Mark.LAST_CELL: 11.5, Mark.LAST_BYTE: 14.0}
    assert real_time_factor(marks, 3.0) == 0.5
    assert real_time_factor(marks, 0.0) is None
    assert real_time_factor({Mark.RECEIVED: 10.0, Mark.LAST_BYTE: 14.0}, 3.0) is None
