"""The client of our own socket that stands beside the vendors' clients."""

import itertools

import pytest

from app.core import SAMPLE_RATE, FinishReason
from interop.clients.own_socket import OwnSocket
from interop.orders import SENTENCES, Order, Turn
from interop.scenario import SAID
from tests.support.api_clients import serving
from tests.support.fakes import FakeSynthesizer


async def turn_of(client, order):
    clock = itertools.count()
    turn = Turn(order, lambda: float(next(clock)))
    await client.take(turn)
    return turn.heard


@pytest.fixture
def synthesizer():
    return FakeSynthesizer()


@pytest.fixture
async def client(synthesizer):
    with serving(synthesizer) as url:
        client = OwnSocket(url)
        yield client
        await client.close()


async def test_two_turns_are_heard_whole_on_one_socket(client, synthesizer, capsys):
    heard = await turn_of(client, Order("speak", SENTENCES))
    socket = client._socket
    assert heard.words == SAID
    takes = len(synthesizer.requests)
    assert heard.sound_s == pytest.approx(takes * synthesizer.num_samples / SAMPLE_RATE)
    assert (await turn_of(client, Order("speak", SENTENCES))).words == SAID
    assert client._socket is socket


async def test_an_interruption_stops_the_turn(client, synthesizer, capsys):
    synthesizer.hold_at = 1
    heard = await turn_of(client, Order("interrupt", SENTENCES, after_s=0.0))
    assert heard.interrupted_s is not None
    assert len(synthesizer.cancels) == 1


async def test_a_cut_turn_is_a_fault(client, synthesizer, capsys):
    synthesizer.finish = FinishReason.LENGTH
    with pytest.raises(RuntimeError, match="length"):
        await turn_of(client, Order("speak", SENTENCES))
