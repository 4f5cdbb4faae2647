import asyncio
import time
from contextlib import aclosing

import httpx
import pytest

from app.hearing.cancel_chain import ChainMark
from app.hearing.hearing import LocalHearing
from app.hearing_settings import HearingSettings
from benchmarks import cancel_chain
from benchmarks.call_listener import SOUND, TURNS, Listener
from benchmarks.cancel_chain import (
    Agent,
    Turn,
    broken_bounds,
    one_turn,
    parse_hosts,
    summarise,
)
from benchmarks.interrupted_parts import (
    BLOCK_BYTES,
    LanguageModel,
    Player,
    Speech,
    scripted_language_model,
)
from benchmarks.recorded_call import read_call
from tests.support.api_clients import serving
from tests.support.fakes import FakeSynthesizer
from tests.support.inline_host import InlineHost


async def endless_sound():
    yield bytes(BLOCK_BYTES)
    await asyncio.Event().wait()


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


@pytest.mark.parametrize(("chain_ms", "status"), [(50, 0), (401, 1)])
def test_the_gate_is_the_status_of_the_program(monkeypatch, chain_ms, status):
    async def measured(args):
        return {"sidecar": ([turn(chain_ms)] * args.n, 0)}

    monkeypatch.setattr(cancel_chain, "run", measured)
    monkeypatch.setattr("sys.argv", ["cancel_chain.py", "--n", "5", "--host", "sidecar"])
    assert cancel_chain.main() == status


@pytest.mark.full
async def test_every_leg_of_an_interrupted_speech_has_its_time():
    """A served speech, a streaming language model and a voice of the recorded call."""
    moments = read_call().of_kind("interruption")[1:3]
    hearing = LocalHearing(HearingSettings(), InlineHost())
    ears = await hearing.open_call(SOUND, TURNS)
    synthesizer = FakeSynthesizer(hold_at=1)
    with serving(synthesizer) as url:
        async with (
            aclosing(Listener(ears, read_call())) as listener,
            scripted_language_model() as llm_url,
            httpx.AsyncClient(base_url=url, trust_env=False) as client,
        ):
            agent = Agent(llm_url, 0.0, client, "english", "anna")
            turn = await one_turn(agent, listener, ears, moments)
    assert turn.failures == {}
    assert 0 < turn.legs_ms["notice_in_sound"] < 250
    assert set(turn.marks) == set(ChainMark)
    assert len(synthesizer.cancels) == 1
    assert synthesizer.ended[0][1] in ("cancelled", "closed")  # the connection ends, too


@pytest.mark.parametrize(("kind", "num_false"), [("noise", 0), ("interruption", 1)])
async def test_what_comes_before_an_interruption_is_not_taken_for_it(kind, num_false):
    call = read_call()
    hearing = LocalHearing(HearingSettings(), InlineHost())
    async with aclosing(Listener(await hearing.open_call(SOUND, TURNS), call)) as listener:
        found = await listener.interrupt(call.of_kind("interruption")[2], call.of_kind(kind)[1])
        assert listener.num_false == num_false  # a voice in the noise's place is the control
        assert 0 < found.in_sound_s < 0.25
        await listener.fall_silent(found.event.generation, found.speaking)


async def test_a_speech_that_is_refused_is_asked_for_again():
    refusal = httpx.Response(503, headers={"Retry-After": "0"})
    answers = [refusal, httpx.Response(200, content=endless_sound())]
    asked = []

    def answer(request):
        asked.append(request.headers["X-Request-ID"])
        return answers.pop(0)

    player = Player()
    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(base_url="http://served", transport=transport) as client:
        speech = Speech(client, "english", "anna", player)
        await speech.until_it_plays()
        await speech.hang_up()
    await player.aclose()
    assert len(set(asked)) == 2
    assert speech.session_id == asked[-1]


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
    await player.silence()
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
        assert time.monotonic() - began_s >= floor_s
