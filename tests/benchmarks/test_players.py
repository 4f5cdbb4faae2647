"""Players of a server's answers over HTTP, and their figures."""

import httpx
import pytest

from benchmarks.players import BYTES_PER_S, Refused, figures, play, told_right_share
from tests.support.players import player_of


def client_of(status=200, parts=(), headers=None):
    async def body():
        for part in parts:
            yield part

    def answer(request):
        return httpx.Response(status, headers=headers, content=body())

    transport = httpx.MockTransport(answer)
    return httpx.AsyncClient(transport=transport, base_url="http://server")


async def played(num_header=0, **answer):
    async with client_of(**answer) as client:
        return await play(client, "/v1/audio/speech", {}, num_header)


async def test_a_header_is_not_audio():
    parts = (bytes(30), bytes(14 + BYTES_PER_S), bytes(BYTES_PER_S))
    assert (await played(44, parts=parts)).audio_s == 2.0
    assert (await played(0, parts=parts)).audio_s > 2.0


async def test_a_player_is_told_its_prebuffer_by_the_header():
    part = bytes(BYTES_PER_S)
    told = await played(parts=[part], headers={"X-Prebuffer-Ms": "120"})
    assert told.told_prebuffer_s == pytest.approx(0.12)
    assert (await played(parts=[part])).told_prebuffer_s is None


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refusal_says_when_to_come_again(status):
    with pytest.raises(Refused, match=f"{status}: full") as refused:
        await played(status=status, parts=[b"full"], headers={"Retry-After": "7"})
    assert refused.value.after_s == 7


@pytest.mark.parametrize("status", [200, 204, 400, 500])
async def test_another_answer_without_audio_is_an_error(status):
    with pytest.raises(RuntimeError):
        await played(status=status)


def test_the_figures_are_of_all_players():
    players = [player_of(0.2, 4.0), player_of(0.4, 4.0, late_s=0.3, told_s=0.1)]
    assert figures(players) == {
        "num_heard": 2,
        "ttfa_ms": {"p50": 400.0, "p95": 400.0},
        "needed_prebuffer_ms": {"p50": 300.0, "p95": 300.0},
        "told_prebuffer_ms": {"p50": 100.0, "p95": 100.0},
        "num_stalled": 1,
        "longest_stall_ms": 200.0,
    }


def test_a_told_prebuffer_is_right_within_50_ms_on_either_side():
    told = [player_of(0.2, 4.0, late_s=0.2, told_s=told_s) for told_s in (0.14, 0.16, 0.24, 0.26)]
    assert told_right_share(told) == 0.5
    assert told_right_share([player_of(0.2, 4.0)]) is None
