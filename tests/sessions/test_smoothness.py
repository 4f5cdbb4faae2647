"""The forecast of a stream against a simulation that knows its end, and what a stage bears."""

import math
from dataclasses import replace
from functools import partial

import pytest

from app.core import Cost, StageStats
from app.sessions.smoothness import (
    Capacity,
    Company,
    StreamForecast,
    cost_beside,
    stage_bears,
    t3_bears,
    vocoder_bears,
)
from tests.support.simulated_streams import (
    NUM_MACHINES,
    SHAPE,
    Machine,
    machines,
    play,
    sounds,
    text_of,
)


def forecast(machine: Machine, texts: tuple[str, ...], until_s: float, events) -> float:
    """By what had happened until then."""
    told = StreamForecast(SHAPE, texts, speed=machine.speed, pauses_s=machine.pauses_s)
    for event in events:
        if event.at_s > until_s:
            break
        if event.kind == "asked":
            told.asked(event.segment, event.at_s)
        elif event.kind == "tokens":
            num_tokens, is_last = event.num_tokens, event.is_last
            told.tokens(event.segment, num_tokens, event.at_s, is_last=is_last)
        else:
            told.sound(event.segment, event.num_tokens, event.at_s)
    return told.prebuffer_s(until_s, machine.cost.of)


@pytest.mark.parametrize("lengths", [(20,), (200,), (60, 120, 30)])
def test_the_forecast_at_the_first_sound_is_what_the_player_needs(lengths):
    texts = tuple(map(text_of, lengths))
    waits = 0
    for machine in machines():
        events, needed_s = play(machine, texts)
        told_s = forecast(machine, texts, sounds(events)[0], events)
        assert told_s == pytest.approx(needed_s, abs=1e-6), machine
        waits += needed_s > 0.05
    assert waits > NUM_MACHINES // 10  # the control: there was something to foresee


def test_each_later_look_says_the_same_as_long_as_the_machine_does():
    texts = (text_of(150), text_of(80))
    for machine in machines(100):
        events, needed_s = play(machine, texts)
        for at_s in sounds(events):
            assert forecast(machine, texts, at_s, events) == pytest.approx(needed_s, abs=1e-6)


def test_a_machine_that_gets_slower_is_seen_at_the_next_look():
    """The forecast follows the newest messages and the present cost, not those of the start."""
    machine, texts = Machine(100.0, Cost(0.1, 0.002), 0.1), (text_of(300),)
    events, _ = play(machine, texts)
    slow = replace(machine, cost=Cost(0.4, 0.05))
    at_s = sounds(events)[0]
    assert forecast(slow, texts, at_s, events) > forecast(machine, texts, at_s, events) + 0.5


def test_a_first_cell_that_took_longer_than_its_cost_lengthens_the_next_ones():
    """Another program took the cores: the cost has not followed yet."""
    machine, texts = Machine(1000.0, Cost(0.8, 0.0), 0.1), (text_of(300),)
    events, needed_s = play(machine, texts)
    at_s = sounds(events)[0]
    half = forecast(replace(machine, cost=Cost(0.4, 0.0)), texts, at_s, events)
    assert half == pytest.approx(0.4 * math.sqrt(2) - 0.3)  # the second cell, less what plays
    assert half < needed_s == pytest.approx(0.8 - 0.3)
    tenth = forecast(replace(machine, cost=Cost(0.08, 0.0)), texts, at_s, events)
    assert tenth == 0.0  # a cell that took ten times its cost was stopped by something that ends


def test_a_cell_that_is_late_cannot_arrive_in_the_past():
    machine, texts = Machine(100.0, Cost(0.1, 0.0), 0.1), (text_of(300),)
    events, _ = play(machine, texts)
    first_s = sounds(events)[0]
    told = StreamForecast(SHAPE, texts)
    told.asked(0, 0.0)
    told.tokens(0, 3, 0.13, is_last=False)
    told.tokens(0, 16, 0.26, is_last=False)
    told.sound(0, 13, first_s)
    much_later_s = first_s + 7.0  # and no second cell has come
    assert told.prebuffer_s(much_later_s, machine.cost.of) >= 7.0 - 0.3


def test_a_stream_without_sound_needs_nothing_yet():
    assert StreamForecast(SHAPE, ("",)).prebuffer_s(1.0, Cost(0.1, 0.0).of) == 0.0


def test_a_slow_machine_needs_as_long_as_the_text():
    machine = Machine(12.5, Cost(0.0, 0.001), 0.1)
    needs = [forecast_at_first(machine, text_of(num)) for num in (100, 200, 400)]
    assert needs == pytest.approx([100 / 25, 200 / 25, 400 / 25], rel=0.35)
    assert needs[0] < needs[1] < needs[2]


def forecast_at_first(machine: Machine, text: str) -> float:
    events, _ = play(machine, (text,))
    return forecast(machine, (text,), sounds(events)[0], events)


def test_a_cell_waits_for_one_call_of_those_ahead_and_for_a_cell_of_each_that_starts():
    cost = Cost(0.1, 0.01)
    assert cost_beside(cost, SHAPE, Company())(26) == cost.of(26)
    for num_ahead in (1, 5):
        beside = cost_beside(cost, SHAPE, Company(num_ahead=num_ahead))
        assert beside(26) == pytest.approx(cost.of(26) + cost.of(52))
    assert cost_beside(cost, SHAPE, Company(num_starting=2))(26) == pytest.approx(3 * cost.of(26))
    beside = cost_beside(cost, SHAPE, Company(num_starting=2, num_ahead=1))
    assert beside(26) == pytest.approx(3 * cost.of(26) + cost.of(52))


def test_cells_of_streams_that_start_together_share_calls():
    cost, starting = Cost(0.1, 0.01), Company(num_starting=4)
    took_s = {
        rows: cost_beside(cost, replace(SHAPE, num_rows=rows), starting)(26) for rows in (1, 2, 8)
    }
    assert took_s == pytest.approx(
        {1: 5 * 0.1 + 5 * 0.26, 2: 3 * 0.1 + 5 * 0.26, 8: 0.1 + 5 * 0.26}
    )


def test_a_cell_waits_for_one_first_cell_of_those_without_sound():
    cost = Cost(0.1, 0.01)
    for num_silent in (1, 5):
        beside = cost_beside(cost, SHAPE, Company(num_silent=num_silent))
        assert beside(26) == pytest.approx(cost.of(26) + cost.of(13))
    beside = cost_beside(cost, SHAPE, Company(num_silent=1, num_ahead=1))
    assert beside(26) == pytest.approx(cost.of(26) + cost.of(52))


def test_cells_have_the_ladders_sizes_and_a_short_rest_joins_the_last():
    assert SHAPE.cells(200) == [13, 26, 52, 52, 52, 5]
    assert SHAPE.cells(13 + 26 + 2) == [13, 28]
    assert SHAPE.cells(60, index=2) == [52, 8]
    assert SHAPE.cells(0) == []


def test_a_stage_bears_the_streams_whose_work_fits_into_the_time_they_play():
    assert t3_bears(Cost(0.01, 0.01), 16) == pytest.approx(3.0)
    assert t3_bears(Cost(0.001, 0.001), 16) == 16
    assert t3_bears(Cost(0.04, 0.04), 16) == pytest.approx(0.5)  # half of real time
    assert t3_bears(Cost(0.01, 0.0), 16) == 16
    assert vocoder_bears(Cost(0.0, 0.02), SHAPE, 16) == pytest.approx(2.0)
    assert vocoder_bears(Cost(0.0, 0.08), SHAPE, 16) == pytest.approx(0.5)


def test_a_stage_is_judged_by_a_full_machine_and_a_lone_stream_by_the_machine_of_now():
    bears = partial(t3_bears, slots=16)
    now, full = Cost(0.01, 0.01), Cost(0.02, 0.02)
    assert stage_bears(bears, now, full) == pytest.approx(1.0)
    assert stage_bears(bears, Cost(0.01, 0.005), Cost(0.01, 0.01)) == pytest.approx(3.0)
    assert stage_bears(bears, now, None) == pytest.approx(3.0)
    assert stage_bears(bears, Cost(0.012, 0.024), Cost(0.024, 0.048)) == pytest.approx(1.0)
    assert stage_bears(bears, Cost(0.04, 0.04), Cost(0.08, 0.08)) == pytest.approx(0.5)


def stages(t3: float | None, vocoder: float | None) -> dict[str, StageStats]:
    return {"t3": StageStats(bears=t3), "vocoder": StageStats(bears=vocoder)}


def test_the_capacity_is_that_of_the_stage_that_bears_least():
    assert Capacity().follow(stages(9.0, 3.0)) == 2  # a part of the time is kept free
    assert Capacity().follow(stages(3.0, 9.0)) == 2
    assert Capacity().follow(stages(1.05, 9.0)) == 1
    assert Capacity().follow(stages(0.9, 9.0)) == 0


def test_the_capacity_is_not_known_before_every_stage_has_told():
    assert Capacity().follow(stages(9.0, None)) is None
    assert Capacity().follow({"t3": StageStats(bears=3.0)}) is None


def test_noise_does_not_lower_the_capacity_and_a_real_change_does():
    capacity = Capacity()
    assert capacity.follow(stages(2.7, 9.0)) == 2
    assert capacity.follow(stages(2.6, 9.0)) == 2  # alone, that would be 1
    assert capacity.follow(stages(None, None)) == 2  # the engines start anew
    assert capacity.follow(stages(2.2, 9.0)) == 1
    assert capacity.follow(stages(2.6, 9.0)) == 1  # nor is it raised by noise
    assert capacity.follow(stages(2.7, 9.0)) == 2
