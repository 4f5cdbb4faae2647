"""The socket protocols of load tests and benchmarks, on the application: each is heard whole,
stopped, and left."""

import time
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from benchmarks.players import play_on_socket
from benchmarks.turns import UNANSWERED, Turns
from loadtests.bench import Bench
from loadtests.records import Kind, Outcome
from loadtests.run_log import RunLog
from loadtests.session import PlannedRequest, Stop
from loadtests.speech import speak
from loadtests.spoken_sockets import SOCKETS
from tests.support.api_clients import serving
from tests.support.live_synthesizer import LiveSynthesizer
from tests.support.loadtests.benches import QUICK

VIAS = tuple(SOCKETS)
CHUNK_S = 0.2
TEXT = "Hello to you."


@contextmanager
def bench_of(synthesizer, via):
    with serving(synthesizer) as url:
        bench = Bench(url, replace(QUICK, via=via), RunLog())
        yield bench
        bench.http.close()


def session(bench, stop=None):
    request = PlannedRequest(Kind.STREAM, "somebody", TEXT, time.monotonic(), stop)
    return speak(bench, request)[0]


@pytest.mark.parametrize("via", VIAS)
def test_a_text_is_heard_whole(via):
    with bench_of(LiveSynthesizer(3, 0.0), via) as bench:
        record = session(bench)
    assert (record.outcome, record.audio_s) == (Outcome.HEARD, pytest.approx(3 * CHUNK_S))


@pytest.mark.parametrize("via", VIAS)
def test_a_call_stops_the_session_and_nothing_follows(via):
    synthesizer = LiveSynthesizer(500, 0.02)
    with bench_of(synthesizer, via) as bench:
        record = session(bench, Stop("call", 0.05, since="first_audio"))
        num_made = synthesizer.num_made
        time.sleep(0.1)
    assert (record.outcome, record.bytes_after_ack) == (Outcome.CANCELLED, 0)
    assert record.finish == "cancelled"
    assert synthesizer.num_made == num_made < 500


@pytest.mark.parametrize("via", VIAS)
def test_a_caller_hangs_up(via):
    with bench_of(LiveSynthesizer(500, 0.02), via) as bench:
        record = session(bench, Stop("hang_up", 0.2))
    assert record.outcome is Outcome.LEFT


@pytest.mark.parametrize("via", VIAS)
async def test_a_turn_is_stopped_and_its_session_is_found(via):
    with serving(LiveSynthesizer(500, 0.02)) as url:
        async with httpx.AsyncClient(base_url=url) as client:
            turns = Turns(client, "english", "anna")
            turn = await turns.stop(TEXT, via, 0.05, after_first_audio=True)
            report = (await client.get(f"/v1/sessions/{turn.session_id}")).json()
    assert report["finish"] == "cancelled"
    assert turn.first_audio_s < turn.stopped_s
    assert (turn.acknowledged_s is None) == (via in UNANSWERED)
    assert turn.bytes_after_ack == 0


@pytest.mark.parametrize("via", VIAS)
async def test_a_player_hears_the_text(via):
    with serving(LiveSynthesizer(3, 0.0)) as url:
        async with httpx.AsyncClient(base_url=url) as client:
            player = await play_on_socket(client, via, TEXT, "anna", {})
            with pytest.raises((RuntimeError, InvalidStatus), match=r"404|not_found"):
                await play_on_socket(client, via, TEXT, "nobody", {})
    assert player.audio_s == pytest.approx(3 * CHUNK_S)
