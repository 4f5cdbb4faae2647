"""The benchmark of attacks: its figures, and one row on the interface before a fake engine."""

from argparse import Namespace

import pytest

from benchmarks import attacks
from benchmarks.attacks import measure, row
from benchmarks.listeners import Heard
from tests.support.api_clients import serving
from tests.support.live_synthesizer import LiveSynthesizer

SHORT = Namespace(seconds=2.0, num_listeners=2)


def test_silences_are_of_listeners_and_first_sounds_of_streams():
    heard = [[Heard(0.1, 0.2, 3.0), Heard(0.3, 4.0, 3.0)], [Heard(2.0, 0.1, 3.0)], []]
    figures = row(heard, [10.0] * 19 + [9000.0], [])
    assert figures["silence_s"] == {"p50": 4.0, "longest": 4.0}
    assert figures["first_s"] == {"p50": 0.3, "longest": 2.0}
    assert figures["health_ms"] == {"n": 20, "p50": 10.0, "p95": 9000.0}
    assert figures["cancel_ms"] == {"n": 0, "p50": None, "p95": None}


@pytest.mark.parametrize("attack", ["none", "idle-sockets"])
async def test_a_row_has_answers_beside_each_attack(monkeypatch, attack):
    monkeypatch.setattr(attacks, "WARM_S", 0.1)
    monkeypatch.setitem(attacks.NUMBERS, "idle-sockets", 3)
    with serving(LiveSynthesizer(num_chunks=10)) as url:
        figures = await measure(url, attack, SHORT)
    assert figures["health_ms"]["n"] >= 1
    assert figures["cancel_ms"]["n"] >= 1
    assert figures["silence_s"]["longest"] < 1
    assert attack != "none" or figures["attackers"] == {}
