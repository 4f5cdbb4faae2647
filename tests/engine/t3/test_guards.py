"""Guards end runaway sequences, and never a normal one."""

import random

import pytest

from app.core import FinishReason, SamplingParams
from app.engine.checkpoint.text_origins import WordIds
from app.engine.t3.engine import TokenEngine
from app.engine.t3.guards import bounded, is_babbling, is_looping, least_tokens
from app.engine.t3.model import T3Model
from app.engine.t3.spoken_words import SpokenWords
from app.t3_settings import GuardSettings
from tests.support.engine.t3 import models
from tests.support.engine.t3.lone_scheduler import STOP_TOKEN, UNGUARDED

pytestmark = pytest.mark.full  # seconds in all

ON = GuardSettings()
OFF = UNGUARDED
DEFAULTS = SamplingParams()
FORCED = SamplingParams(ignore_eos=True)
SILENCE = 4299
SPEECH = [n * 37 % 6561 for n in range(400)]  # without a cycle


@pytest.mark.parametrize(
    ("num_text", "asked", "granted"),
    [
        (1, 1000, 120),  # "yes": users report a thousand tokens without the guard
        (3, 1000, 160),
        (25, 1000, 600),
        (60, 1000, 1000),  # the caller's limit is smaller
        (1, 50, 50),
        (1, 120, 120),
    ],
)
def test_a_short_text_lowers_max_tokens(num_text, asked, granted):
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
    assert not is_looping([SILENCE] * 100, FORCED, guards)
    assert least_tokens(FORCED, guards) == 0


def test_a_segment_draws_five_tokens_before_it_may_stop():
    assert least_tokens(DEFAULTS, ON) == 5


@pytest.mark.parametrize("cycle", [[SILENCE], [7, 8], [1, 1, 2], list(range(8))])
@pytest.mark.parametrize("before", [[], SPEECH])
def test_a_loop_is_found_at_its_75th_token(cycle, before):
    looped = (cycle * 75)[:75]
    ends = [n for n in range(76) if is_looping(before + looped[:n], DEFAULTS, ON)]
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
        list(range(9)) * 50,  # a cycle longer than loop_cycle
    ],
    ids=["none", "pair", "speech", "pause", "ended", "short", "long cycle"],
)
def test_other_tokens_are_no_loop(tokens):
    assert not is_looping(tokens, DEFAULTS, ON)


def test_random_tokens_with_many_repeats_are_no_loop():
    generator = random.Random(3)
    tokens = [generator.choice((SILENCE, SILENCE, SILENCE, 7)) for _ in range(20_000)]
    assert not any(is_looping(tokens[:end][-80:], DEFAULTS, ON) for end in range(75, len(tokens)))


def test_all_guards_can_be_switched_off():
    sampling = SamplingParams(max_tokens=4000)
    assert bounded(sampling, 1, OFF) is sampling
    assert least_tokens(sampling, OFF) == 0
    assert not is_looping([SILENCE] * 4000, DEFAULTS, OFF)


def test_the_smallest_loop_tokens_hold_the_longest_cycle_twice():
    shortest = GuardSettings(loop_tokens=25, loop_cycle=12)
    assert is_looping([*range(12), *range(12), 0], DEFAULTS, shortest)
    assert not is_looping(list(range(25)), DEFAULTS, shortest)
    with pytest.raises(ValueError, match="loop_tokens"):
        GuardSettings(loop_tokens=24)


# -- in the engine ---------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["english", "turbo"])
def model(request) -> T3Model:
    spec = models.ENGLISH if request.param == "english" else models.TURBO
    return models.our_t3(models.upstream_t3(spec), spec)


def speak(model: T3Model, script: list[int], guards: GuardSettings, num_text: int = 12):
    """The ids and the finish of a sequence that draws the script where it may."""
    noise = models.ForcedTokens(script)
    engine = TokenEngine(model, models.settings(guards=guards), noise=noise)
    one = models.request("a", UNFILTERED, num_text=num_text)
    recorded = models.run_all(engine, [one])
    return recorded.ids[one.key, 0], recorded.finish[one.key, 0]


UNFILTERED = SamplingParams(min_p=0.0, repetition_penalty=1.0, temperature=100.0, max_tokens=1000)


def test_the_engine_draws_another_token_where_the_stop_token_comes_too_early(model):
    script = [5, 6, 7, STOP_TOKEN, 8, STOP_TOKEN]
    ids, finish = speak(model, script, ON)
    assert (ids[:3], ids[4:], finish) == ([5, 6, 7], [8], FinishReason.STOP)
    assert speak(model, script, OFF) == ([5, 6, 7], FinishReason.STOP)


def test_the_engine_ends_a_loop(model):
    script = [*SPEECH[:20], *[SILENCE] * 1000]
    assert speak(model, script, ON) == (script[:95], FinishReason.LENGTH)
    assert speak(model, script, OFF) == (script[:1000], FinishReason.LENGTH)


def test_the_engine_ends_a_segment_that_is_too_long_for_its_text(model):
    script = SPEECH * 3
    assert speak(model, script, ON, num_text=2) == (script[:140], FinishReason.LENGTH)


def reading(path: list[int]) -> SpokenWords:
    """Of a text of two words: ids 0 to 3, and 4 to 7."""
    words = SpokenWords((WordIds(0, 3), WordIds(4, 7)), offset_tokens=0.0)
    for token, text_id in enumerate(path):
        words.reach(token, text_id)
    return words


@pytest.mark.parametrize(
    ("path", "guards", "babbles"),
    [
        ([0, 4, 7, *[7] * 12], {"tail_tokens": 12}, True),
        ([0, 4, 7, *[7] * 11], {"tail_tokens": 12}, False),
        ([0, 4, *[2] * 10], {"still_tokens": 10}, True),
        ([0, 4, *[2] * 9], {"still_tokens": 10}, False),
        ([0, 3, 5, 2, 5, 2], {"fallen_tokens": 2}, True),  # the same word twice
        ([0, 3, 5, 2, 5, 6], {"fallen_tokens": 2}, False),
        ([0, 3, 5, 3, 5, 6], {"fallen_tokens": 1}, False),  # as heads do that look about
        ([0, 3, 6, 9], {"jumped_tokens": 1}, True),
        ([0, 3, 6, 8], {"jumped_tokens": 1}, False),
        ([-1] * 30, {"still_tokens": 10}, False),  # silence before the text
        ([0, 4, 7, *[7] * 90], {}, False),  # by default it is only counted
    ],
)
def test_tokens_that_no_longer_follow_the_text_are_babble(path, guards, babbles):
    assert is_babbling(reading(path), GuardSettings(**guards)) is babbles


def test_without_alignment_heads_nothing_is_babble():
    assert not is_babbling(
        None, GuardSettings(tail_tokens=10, still_tokens=10, fallen_tokens=1, jumped_tokens=1)
    )
