"""The counters of the vocoder engine."""

import pytest

from app.core import SAMPLE_RATE
from tests.support.clock import Clock
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW
from tests.support.engine.s3gen.voicing import engine_of, opening, pushes, say, speech


def test_each_cell_is_counted_with_its_tokens_and_watermark():
    engine = engine_of(TINY_MEANFLOW)
    say(engine, "a", 1, speech(1, 60))
    counts = engine.counts
    num_cells = len(engine.call_log)
    assert len(counts.step_ms.take()) == counts.num_rows == num_cells > 1
    assert counts.num_tokens == 60
    late_ms = counts.late_ms.take()
    assert counts.num_marked == len(late_ms) <= num_cells
    assert late_ms[0] == 0.0  # the first sound of a session is never late


def test_a_cell_is_late_by_the_time_its_listener_had_run_dry():
    clock = Clock()
    engine = engine_of(TINY_MEANFLOW, clock=clock)
    engine.receive(opening("a", 1))
    first, rest = pushes("a", speech(1, 60), groups=(16,))
    engine.receive(first)
    heard_s = sum(len(item.pcm) for item in engine.step()) / SAMPLE_RATE
    assert heard_s > 0
    clock.now += heard_s + 0.25
    engine.receive(rest)
    assert clock.now - engine.due_s() == pytest.approx(0.25)
    engine.step()
    assert engine.counts.late_ms.take() == pytest.approx([0.0, 250.0])
