"""The benchmark of the translations between vendors' messages and our own."""

import pytest

from benchmarks import translation


def test_every_protocol_is_measured_in_every_part():
    p95_ms = translation.measure(3)
    assert list(p95_ms) == ["websocket", "cartesia", "elevenlabs", "deepgram"]
    assert all(ms > 0 for costs in p95_ms.values() for ms in costs.values())
    assert all(tuple(costs) == translation.WHATS for costs in p95_ms.values())


def test_the_dearest_message_decides():
    own = dict(zip(translation.WHATS, (1.0, 2.0, 3.0), strict=True))
    costs = dict(zip(translation.WHATS, (1.5, 5.0, 0.0), strict=True))
    assert translation.extra_ms(costs, own) == pytest.approx(3.0)


@pytest.mark.parametrize(("extra_ms", "code"), [(1.9, 0), (2.1, 1)])
def test_it_fails_where_a_translation_costs_too_much(monkeypatch, capsys, extra_ms, code):
    own = dict.fromkeys(translation.WHATS, 1.0)
    costs = {"websocket": own, "deepgram": {**own, "sound": 1.0 + extra_ms}}
    monkeypatch.setattr(translation, "measure", lambda num_turns: costs)
    monkeypatch.setattr("sys.argv", ["translation.py"])
    assert translation.main() == code
    assert capsys.readouterr().out.splitlines()[-1].startswith('{"benchmark": "translation"')
