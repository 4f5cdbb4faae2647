"""The stalls of the player, and their lengths."""

import pytest

from loadtests.playback import Player


def player_of(*fed, prebuffer_s=0.0):
    player = Player(prebuffer_s)
    for at_s, audio_s in fed:
        player.feed(at_s, audio_s)
    return player


def test_audio_in_time_does_not_stall():
    assert player_of((5.0, 0.2), (5.1, 0.4), (5.59, 0.4)).stalls_s == []


def test_audio_that_is_300_ms_late_is_a_stall_of_300_ms():
    assert player_of((5.0, 0.2), (5.5, 0.4), (5.6, 0.4)).stalls_s == [pytest.approx(0.3)]


def test_a_gap_below_100_ms_is_no_stall():
    assert player_of((5.0, 0.2), (5.29, 0.4)).stalls_s == []


def test_after_a_stall_playback_continues_late():
    """Otherwise all later audio would be late."""
    assert player_of((5.0, 0.2), (6.0, 0.5), (6.45, 0.5), (6.95, 0.5)).stalls_s == [
        pytest.approx(0.8)
    ]


def test_each_stall_is_counted():
    stalls_s = player_of((5.0, 0.2), (5.4, 0.2), (6.1, 0.2)).stalls_s
    assert stalls_s == [pytest.approx(0.2), pytest.approx(0.5)]


def test_a_prebuffer_hides_a_shorter_stall():
    late = ((5.0, 0.2), (5.2, 0.2), (5.7, 0.4))
    assert player_of(*late, prebuffer_s=0.4).stalls_s == []
    assert len(player_of(*late).stalls_s) == 1


def test_playback_ends_when_all_audio_has_been_played():
    assert player_of((5.0, 2.0)).over_s(5.5) == 7.0
    assert player_of((5.0, 2.0)).over_s(9.0) == 9.0
    assert player_of((5.0, 0.3), prebuffer_s=1.0).over_s(5.5) == pytest.approx(5.8)
