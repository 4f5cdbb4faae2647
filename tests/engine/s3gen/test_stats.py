"""What the vocoder engine says of its steps is what it did."""

import pytest

from app.engine.s3gen.engine import VocoderEngine
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW
from tests.support.engine.s3gen.voicing import engine_of, opening, pushes, say, speech


@pytest.fixture
def engine() -> VocoderEngine:
    return engine_of(TINY_MEANFLOW)


def test_each_cell_is_counted_with_its_tokens_and_as_marked(engine):
    say(engine, "a", 1, speech(1, 60))
    counts = engine.counts
    num_cells = len(engine.call_log)
    assert len(counts.step_ms.take()) == counts.num_rows == num_cells > 1
    assert counts.num_tokens == 60
    late_ms = counts.late_ms.take()
    assert counts.num_marked == len(late_ms) <= num_cells
    assert late_ms[0] == 0.0  # nobody runs dry before the first sound


def test_a_cell_that_comes_when_its_listener_has_run_dry_is_late_by_that():
    now_s = 100.0
    engine = engine_of(TINY_MEANFLOW)
    engine._scheduler._clock = lambda: now_s
    engine.receive(opening("a", 1))
    first, rest = pushes("a", speech(1, 60), groups=(16,))
    engine.receive(first)
    heard_s = sum(len(item.pcm) for item in engine.step()) / 24_000
    assert heard_s > 0
    now_s += heard_s + 0.25
    engine.receive(rest)
    assert engine.stats().late_s == pytest.approx(0.25)
    engine.step()
    assert engine.counts.late_ms.take() == pytest.approx([0.0, 250.0])
