"""A stream's playback on a clock of its own: how far ahead it is, and when it runs dry."""

import pytest

from app.sessions.pacing import Playback


@pytest.fixture
def playback(clock) -> Playback:
    return Playback(clock)


def test_the_first_sound_is_sent_at_once(playback):
    assert playback.wait_s(60.0, ahead_s=3.0) == 0.0


def test_a_chunk_waits_until_the_sound_ahead_fits(playback, clock):
    playback.taken(2.5)
    assert playback.wait_s(1.0, ahead_s=3.0) == pytest.approx(0.5)
    clock.now += 0.5
    assert playback.wait_s(1.0, ahead_s=3.0) == pytest.approx(0.0)
    clock.now += 1.0
    assert playback.wait_s(1.0, ahead_s=3.0) < 0


def test_a_long_chunk_leaves_the_listener_half_of_the_sound_ahead(playback, clock):
    playback.taken(2.0)
    assert playback.wait_s(10.0, ahead_s=3.0) == pytest.approx(0.5)
    clock.now += 0.5
    assert playback.wait_s(10.0, ahead_s=3.0) == pytest.approx(0.0)


def test_a_listener_with_sound_left_has_no_underrun(playback, clock):
    for _ in range(5):
        playback.taken(0.04)
        clock.now += 0.03
    assert (playback.num_underruns, playback.stalled_s) == (0, 0.0)


def test_a_chunk_that_comes_too_late_is_an_underrun(playback, clock):
    playback.taken(0.04)
    clock.now += 0.10
    playback.taken(0.04)  # 60 ms late
    clock.now += 0.04
    playback.taken(0.04)  # in time: the stall has moved the end of the sound
    clock.now += 0.05
    playback.taken(0.04)  # 10 ms late
    assert playback.num_underruns == 2
    assert playback.stalled_s == pytest.approx(0.07)


def test_a_listener_who_ran_dry_is_as_far_behind_as_it_has_waited(playback, clock):
    """The transport took nothing for 10 s: the playback clock stood still for as long."""
    playback.taken(2.0)
    clock.now += 12.0
    playback.taken(2.5)
    assert playback.wait_s(1.0, ahead_s=3.0) == pytest.approx(0.5)


def test_a_listener_that_waits_as_told_runs_dry_later(playback, clock):
    playback.taken(0.5, prebuffer_s=0.25)
    assert playback.left_s == 0.75
    clock.now += 0.75
    playback.taken(1.0)
    assert (playback.num_underruns, playback.stalled_s) == (0, 0.0)
    clock.now += 1.1
    playback.taken(1.0)
    assert playback.num_underruns == 1
    assert playback.stalled_s == pytest.approx(0.1)


def test_sound_is_not_kept_from_a_listener_who_does_not_wait_as_told(playback, clock):
    playback.taken(0.5, prebuffer_s=20.0)
    assert playback.wait_s(2.5, ahead_s=3.0) <= 0
    playback.taken(2.5)
    assert playback.wait_s(1.0, ahead_s=3.0) == pytest.approx(1.0)


def test_a_prebuffer_is_no_wait_for_a_listener_who_still_plays(playback, clock):
    playback.taken(2.0)
    clock.now += 0.5
    playback.taken(1.0, prebuffer_s=0.25)
    assert playback.left_s == 2.5
    clock.now += 3.0
    assert playback.left_s == 0.0
    playback.taken(1.0, prebuffer_s=0.25)
    assert playback.left_s == 1.25
