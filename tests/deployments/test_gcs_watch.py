"""When Ray's GCS counts as away. tests/deployments/test_cluster_away.py kills a real one."""

import asyncio
import threading
from contextlib import suppress

import pytest

from deployments import gcs_watch
from deployments.gcs_watch import AWAY_S, LONGEST_LOOK_S, GcsSilence, GcsWatch
from tests.support.clock import Clock
from tests.support.eventually import eventually

WITHIN_S = 20


def test_silence_is_counted_from_the_last_answer():
    silence = GcsSilence(clock := Clock())
    for passed_s, is_answered, silent_s in ((0.5, False, 0.5), (0.5, False, 1.0), (0.5, True, 0.0)):
        clock.now += passed_s
        silence.look(is_answered)
        assert silence.silent_s == pytest.approx(silent_s)


def test_the_time_in_which_the_process_did_not_run_is_not_silence():
    silence = GcsSilence(clock := Clock())
    clock.now += 600
    silence.look(is_answered=False)
    assert silence.silent_s == LONGEST_LOOK_S < AWAY_S


class Asked:
    """A GCS. `hangs`: a call does not return while the event is clear."""

    def __init__(self) -> None:
        self.answers = True
        self.num_asked = 0
        self.returns = threading.Event()
        self.returns.set()

    def __call__(self) -> bool:
        self.num_asked += 1
        self.returns.wait(WITHIN_S)
        return self.answers


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.setattr(gcs_watch, "ASK_EVERY_S", 0.01)
    monkeypatch.setattr(gcs_watch, "LOOK_EVERY_S", 0.02)
    return Asked()


@pytest.mark.parametrize("kind", ["refuses", "hangs"])
async def test_a_silent_gcs_is_away_until_it_answers_again(gcs: Asked, kind: str, caplog):
    num_lost = 0

    def on_lost() -> None:
        nonlocal num_lost
        num_lost += 1

    watch = GcsWatch(gcs, 0.5, on_lost)
    following = asyncio.ensure_future(watch.follow())
    await eventually(lambda: gcs.num_asked > 1, WITHIN_S, "the GCS is asked")
    assert not watch.is_away
    gcs.answers = kind == "hangs"
    if kind == "hangs":
        gcs.returns.clear()
    await eventually(lambda: num_lost > 1, WITHIN_S, "the GCS is lost")
    assert watch.is_away
    assert caplog.text.count("Ray's GCS does not answer") == 1
    gcs.answers = True
    gcs.returns.set()
    await eventually(lambda: not watch.is_away, WITHIN_S, "the GCS answers again")
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
