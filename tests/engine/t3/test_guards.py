"""Guards see what no speech does, and nothing else."""

import random

import pytest

from app.config import GuardSettings
from app.core import SamplingParams
from app.engine.t3.guards import bounded, is_looping, least_tokens

ON = GuardSettings()
OFF = GuardSettings(least_tokens=0, most_per_text_token=None, loop_tokens=None)
SILENCE = 4299
SPEECH = [n * 37 % 6561 for n in range(400)]  # no cycle in it


@pytest.mark.parametrize(
    ("num_text", "asked", "granted"),
    [
        (1, 1000, 120),  # "yes": not the thousand tokens that were seen
        (3, 1000, 160),
        (25, 1000, 600),
        (60, 1000, 1000),  # the caller's limit is the smaller one
        (1, 50, 50),
        (1, 120, 120),
    ],
)
def test_a_text_gets_no_more_tokens_than_it_can_take(num_text, asked, granted):
    sampling = SamplingParams(max_tokens=asked, seed=5)
    assert bounded(sampling, num_text, ON) == SamplingParams(max_tokens=granted, seed=5)


@pytest.mark.parametrize(
    ("text", "num_text", "spoken_s"),
    [
        ("one syllable, slowly", 1, 2.0),
        ("a number: each digit is a token and up to four words", 7, 6.0),
        ("280 characters at 5 a second, a token for every 4 of them", 70, 56.0),
    ],
)
def test_slow_speech_is_within_the_bound(text, num_text, spoken_s):
    longest = bounded(SamplingParams(max_tokens=10_000), num_text, ON).max_tokens
    assert longest >= 25 * spoken_s, text


@pytest.mark.parametrize("guards", [ON, OFF])
def test_a_forced_length_is_kept(guards):
    sampling = SamplingParams(max_tokens=1000, ignore_eos=True)
    assert bounded(sampling, 1, guards) is sampling


def test_a_segment_does_not_stop_before_it_can_have_said_anything():
    assert least_tokens(SamplingParams(), ON) == 5
    assert least_tokens(SamplingParams(ignore_eos=True), ON) == 0  # its stop tokens mean nothing


@pytest.mark.parametrize("cycle", [[SILENCE], [7, 8], [1, 1, 2], list(range(8))])
@pytest.mark.parametrize("before", [[], SPEECH])
def test_a_loop_is_seen_at_the_75th_token_and_not_before(cycle, before):
    looped = (cycle * 75)[:75]
    ends = [n for n in range(76) if is_looping(before + looped[:n], ON)]
    assert ends == [75]


@pytest.mark.parametrize(
    "tokens",
    [
        [],
        [6405, 6405],  # upstream's false alarm
        SPEECH,
        [*SPEECH, *[SILENCE] * 60],  # a pause of more than two seconds
        [*[SILENCE] * 74, 5],  # a loop that has ended
        [5, *[SILENCE] * 74],
        list(range(9)) * 50,  # a longer cycle than is looked for
    ],
    ids=["none", "pair", "speech", "pause", "left", "short", "long cycle"],
)
def test_what_is_no_loop_is_not_taken_for_one(tokens):
    assert not is_looping(tokens, ON)


def test_random_tokens_with_many_repeats_are_no_loop():
    generator = random.Random(3)
    tokens = [generator.choice((SILENCE, SILENCE, SILENCE, 7)) for _ in range(20_000)]
    assert not any(is_looping(tokens[:end][-80:], ON) for end in range(75, len(tokens)))


def test_all_of_them_can_be_switched_off():
    sampling = SamplingParams(max_tokens=4000)
    assert bounded(sampling, 1, OFF) is sampling
    assert least_tokens(sampling, OFF) == 0
    assert not is_looping([SILENCE] * 4000, OFF)


def test_the_shortest_loop_holds_the_longest_cycle_twice():
    shortest = GuardSettings(loop_tokens=25, loop_cycle=12)
    assert is_looping([*range(12), *range(12), 0], shortest)
    assert not is_looping(list(range(25)), shortest)
    with pytest.raises(ValueError, match="loop_tokens"):
        GuardSettings(loop_tokens=24)
