"""The stalls of the player, their lengths, and the prebuffer that would have hidden them."""

import pytest

from loadtests.playback import Player, told_prebuffer_s


def player_of(*fed, prebuffer_s=0.0, told_s=None):
    player = Player(prebuffer_s)
    player.tell(told_s)
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
    assert player_of((5.0, 0.3), prebuffer_s=1.0).over_s(5.5) == pytest.approx(6.3)
    assert player_of().over_s(5.5) == 5.5


LATE = ((5.0, 0.2), (5.2, 0.2), (5.7, 0.4), (6.3, 0.4))  # by 0.3 s and by 0.5 s


def test_the_needed_prebuffer_is_the_latest_arrival_against_the_audio_before_it():
    assert player_of(*LATE).needed_prebuffer_s == pytest.approx(0.5)
    assert player_of((5.0, 0.2), (5.1, 0.4), (5.59, 0.4)).needed_prebuffer_s == 0


@pytest.mark.parametrize(("told_s", "num_stalls"), [(0.5, 0), (0.45, 0), (0.35, 1), (None, 2)])
def test_a_player_waits_for_what_it_is_told(told_s, num_stalls):
    player = player_of(*LATE, told_s=told_s)
    assert len(player.stalls_s) == num_stalls
    assert player.told_prebuffer_s == told_s
    assert player.needed_prebuffer_s == pytest.approx(0.5)  # whatever it waits for


def test_a_player_waits_for_the_longer_of_its_own_prebuffer_and_the_told_one():
    assert player_of(*LATE, prebuffer_s=0.5, told_s=0.1).stalls_s == []
    assert player_of(*LATE, prebuffer_s=0.1, told_s=0.5).stalls_s == []


def test_the_last_word_before_the_first_audio_counts():
    player = Player()
    for told_s in (0.5, 0.1):
        player.tell(told_s)
    player.feed(*LATE[0])
    player.tell(0.9)
    assert player.told_prebuffer_s == 0.1
    assert player.over_s(0.0) == pytest.approx(5.3)


def test_a_silence_that_lasts_until_the_player_gives_up_is_a_stall():
    player = player_of((5.0, 0.2))
    player.give_up(6.0)
    assert player.stalls_s == [pytest.approx(0.8)]
    assert player.needed_prebuffer_s == pytest.approx(0.8)


def test_a_player_that_gives_up_in_time_did_not_stall():
    player, silent = player_of((5.0, 0.2)), player_of()
    player.give_up(5.1)
    silent.give_up(9.0)
    assert player.stalls_s == silent.stalls_s == []


def test_the_prebuffer_is_told_in_milliseconds():
    assert told_prebuffer_s({"X-Prebuffer-Ms": "133.5"}) == pytest.approx(0.1335)
    assert told_prebuffer_s({}) is None
