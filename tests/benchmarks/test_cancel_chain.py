import time

import httpx
import pytest

from app.hearing.cancel_chain import ChainMark
from benchmarks.cancel_chain import Turn, broken_bounds, parse_hosts, summarise
from benchmarks.interrupted_parts import (
    BLOCK_BYTES,
    LanguageModel,
    Player,
    scripted_language_model,
)


def turn(chain_ms, **failures):
    marks = {ChainMark.SPEECH_BEGAN: 0.9, ChainMark.NOTICED: 1.0}
    return Turn({**marks, ChainMark.LISTENING: 1.0 + chain_ms / 1000}, failures)


def test_a_quick_chain_passes():
    assert broken_bounds([turn(50)] * 100, 0.0) == []


def test_a_chain_that_is_slow_in_more_than_a_twentieth_of_the_turns_fails():
    turns = [turn(50)] * 90 + [turn(401)] * 10
    assert broken_bounds(turns, 0.0) == ["the p95 of the chain is 401.0 ms, the bound is 400 ms"]


def test_the_floor_of_the_language_model_is_allowed():
    assert broken_bounds([turn(650)] * 100, 0.3) == []
    assert broken_bounds([turn(750)] * 100, 0.3) != []


def test_a_step_that_failed_fails_the_run():
    turns = [turn(50), turn(50, cancel_speech="RuntimeError: 404")]
    assert broken_bounds(turns, 0.0) == ["cancel_speech: RuntimeError: 404"]


def test_legs_are_told_in_percentiles():
    legs = summarise([turn(float(ms)) for ms in range(1, 101)])
    assert legs["listening"]["p50"] == pytest.approx(51, abs=1)
    assert legs["notice"]["p99"] == pytest.approx(100)


def test_hosts_are_named():
    assert parse_hosts("sidecar,subprocess") == ["sidecar", "subprocess"]
    with pytest.raises(ValueError, match="nowhere"):
        parse_hosts("nowhere")


async def test_a_player_that_is_silenced_plays_nothing_more():
    player = Player()
    player.feed(bytes(BLOCK_BYTES * 100))
    await player.plays.wait()
    began_s = time.monotonic()
    await player.silence()
    assert time.monotonic() - began_s < 0.1
    player.plays.clear()
    await player.silence()
    assert not player.plays.is_set()
    await player.aclose()


@pytest.mark.parametrize("floor_s", [0.0, 0.05])
async def test_a_language_model_is_acknowledged_after_its_floor(floor_s):
    async with scripted_language_model() as url, httpx.AsyncClient(trust_env=False) as client:
        model = LanguageModel(client, url, floor_s)
        await model.until_it_streams()
        began_s = time.monotonic()
        await model.cancel()
        assert floor_s <= time.monotonic() - began_s < floor_s + 0.2
