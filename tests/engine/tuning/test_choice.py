"""The settings that a machine serves a model best with."""

from collections.abc import Mapping

import pytest

from app.config import ServeArgs, VocoderSettings
from app.core import Cost
from app.engine.tuning.choice import Choice, Measured, best

GIB = 2**30
ARGS = ServeArgs(model="random-turbo")


def steps(first_ms: float, each_ms: float = 1.0) -> Cost:
    return Cost(first_ms / 1e3, each_ms / 1e3)


def t3(costs: Mapping[int, float], dtype: str = "float32", gib: float = 1.0) -> Measured:
    """`costs`: milliseconds of a step, by the number of threads."""
    return Measured(dtype, {n: steps(ms) for n, ms in costs.items()}, int(gib * GIB))


def vocoder(costs: Mapping[int, float], gib: float = 1.0) -> Measured:
    """`costs`: milliseconds of a token's sound."""
    return Measured(None, {n: Cost(0.0, ms / 1e3) for n, ms in costs.items()}, int(gib * GIB))


def chosen(
    num_cores: int, *stages: Measured, memory_gib: float = 64, args: ServeArgs = ARGS
) -> Choice:
    *tokens, sound = stages
    found = best(num_cores, int(memory_gib * GIB), args, tokens, [sound])
    assert found is not None
    return found


def test_two_cores_are_one_for_each_engine():
    choice = chosen(2, t3({1: 10, 2: 6}), vocoder({1: 5, 2: 3}))
    assert (choice.t3.threads, choice.vocoder.threads) == (1, 1)
    assert (choice.t3.count, choice.vocoder.count) == (1, 1)


def test_the_precision_that_bears_more_callers_is_taken():
    choice = chosen(2, t3({1: 30}), t3({1: 12}, "int8"), vocoder({1: 5}))
    assert choice.t3.dtype == "int8"


@pytest.mark.parametrize(("t3_ms", "vocoder_ms", "slow"), [(20, 2, "t3"), (2, 20, "vocoder")])
def test_more_cores_go_to_the_stage_that_is_slower(t3_ms, vocoder_ms, slow):
    choice = chosen(
        8,
        t3({1: t3_ms, 2: 0.6 * t3_ms, 4: 0.4 * t3_ms}),
        vocoder({1: vocoder_ms, 2: 0.6 * vocoder_ms, 4: 0.4 * vocoder_ms}),
    )
    cores = {"t3": choice.t3.num_cores, "vocoder": choice.vocoder.num_cores}
    assert max(cores, key=lambda stage: cores[stage]) == slow
    assert sum(cores.values()) <= 8


def test_replicas_stay_within_the_memory():
    costs = {1: 20.0}
    many = chosen(8, t3(costs, gib=2), vocoder({1: 2}))
    few = chosen(8, t3(costs, gib=2), vocoder({1: 2}), memory_gib=7)
    assert many.t3.count > few.t3.count
    assert few.t3.memory_bytes + few.vocoder.memory_bytes <= 0.75 * 7 * GIB
    assert best(8, GIB, ARGS, [t3(costs)], [vocoder({1: 2})]) is None


def test_a_machine_that_is_slower_than_real_time_is_told_as_such():
    choice = chosen(2, t3({1: 90}), vocoder({1: 60}))
    assert choice.callers == 0
    assert choice.bears < 0.5
    assert chosen(2, t3({1: 5}), vocoder({1: 5})).callers >= 1


def test_engines_that_share_one_core_are_expected_to_take_twice_as_long():
    alone = chosen(2, t3({1: 5}), vocoder({1: 5}))
    shared = chosen(1, t3({1: 5}), vocoder({1: 5}))
    assert shared.bears < 0.6 * alone.bears


def test_cells_of_the_config_are_kept():
    args = ServeArgs(model="random-turbo", vocoder=VocoderSettings(cells=(10, 20)))
    assert chosen(2, t3({1: 5}), vocoder({1: 5}), args=args).ladder == (10, 20)


def test_nothing_is_chosen_where_nothing_was_measured():
    assert best(2, 64 * GIB, ARGS, [t3({})], [vocoder({1: 5})]) is None
