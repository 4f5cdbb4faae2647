"""The player's clock: what it calls a stall, and how long that was."""

import pytest

from loadtests.playback import Player


def played(*fed, prebuffer_s=0.0):
    player = Player(prebuffer_s)
    for at_s, audio_s in fed:
        player.feed(at_s, audio_s)
    return player


def test_sound_that_comes_before_it_is_due_never_stalls():
    assert played((5.0, 0.2), (5.1, 0.4), (5.59, 0.4)).stalls_s == []


def test_sound_that_comes_300_ms_late_is_one_stall_of_300_ms():
    assert played((5.0, 0.2), (5.5, 0.4), (5.6, 0.4)).stalls_s == [pytest.approx(0.3)]


def test_a_gap_that_is_hardly_heard_is_no_stall():
    assert played((5.0, 0.2), (5.29, 0.4)).stalls_s == []


def test_after_a_stall_playback_goes_on_from_there():
    """Else the sound after it would be late for ever."""
    assert played((5.0, 0.2), (6.0, 0.5), (6.45, 0.5), (6.95, 0.5)).stalls_s == [pytest.approx(0.8)]


def test_each_stall_is_counted():
    stalls_s = played((5.0, 0.2), (5.4, 0.2), (6.1, 0.2)).stalls_s
    assert stalls_s == [pytest.approx(0.2), pytest.approx(0.5)]


def test_a_prebuffer_hides_what_it_covers():
    late = ((5.0, 0.2), (5.2, 0.2), (5.7, 0.4))
    assert played(*late, prebuffer_s=0.4).stalls_s == []
    assert len(played(*late).stalls_s) == 1


def test_playback_is_over_when_all_sound_has_been_played():
    assert played((5.0, 2.0)).over_s(5.5) == 7.0
    assert played((5.0, 2.0)).over_s(9.0) == 9.0
    assert played((5.0, 0.3), prebuffer_s=1.0).over_s(5.5) == pytest.approx(5.8)
