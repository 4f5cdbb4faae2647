"""The profile of agents sets limits, and a setting that is given wins."""

import pytest

from app.config import Limits, ServeArgs


@pytest.mark.parametrize(
    ("given", "first_audio_s"),
    [
        ({}, 25.0),
        ({"profile": "agents"}, 2.5),
        ({"profile": "agents", "first_audio_s": 4.0}, 4.0),
    ],
)
def test_the_profile_of_agents_refuses_before_they_give_up(given, first_audio_s):
    assert ServeArgs(limits=given).limits.first_audio_s == first_audio_s


def test_agents_are_told_to_come_again_in_a_second():
    assert Limits().told_wait_s(17.0) == 17.0
    assert Limits(profile="agents").told_wait_s(17.0) == 1.0
