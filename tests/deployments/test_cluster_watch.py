"""When a server's cluster counts as dead."""

import pytest

from app.config import Limits
from deployments import gcs_watch
from deployments.cluster_processes import ASK_EVERY_S
from deployments.cluster_watch import PATIENCE_S, ClusterWatch, Part, told

ALL = frozenset(Part)
SILENCE_S = 6.0  # limits.gcs_silence_s
IN_TIME = {  # a part, and its patience
    Part.RAYLET: PATIENCE_S[Part.RAYLET],
    Part.GCS: PATIENCE_S[Part.GCS],
    Part.GCS_ANSWERS: SILENCE_S + PATIENCE_S[Part.GCS_ANSWERS],
    Part.CONTROLLER: PATIENCE_S[Part.CONTROLLER],
    Part.PROXY: PATIENCE_S[Part.PROXY],
    Part.ANSWERS: PATIENCE_S[Part.ANSWERS],
}


def watching() -> ClusterWatch:
    """A watch that saw every part at 100 s."""
    watch = ClusterWatch(SILENCE_S)
    assert watch.lost(ALL, 100.0) is None
    return watch


@pytest.mark.parametrize("part", Part)
def test_a_part_that_was_never_there_is_not_missed(part: Part):
    watch = ClusterWatch(SILENCE_S)
    for now_s in (0.0, 1000.0, 2000.0):
        assert watch.lost(ALL - {part}, now_s) is None


def test_the_end_of_serve_run_is_told_at_once_also_where_it_ended_its_cluster_first():
    watch = watching()
    assert watch.lost({Part.SERVE_RUN, Part.GCS}, 102.9) is None
    assert watch.lost((), 103.0) is Part.SERVE_RUN


@pytest.mark.parametrize(("part", "patience_s"), IN_TIME.items())
def test_the_other_parts_are_lost_after_their_patience(part: Part, patience_s: float):
    watch = watching()
    assert watch.lost(ALL - {part}, 100.0 + patience_s - 0.1) is None
    assert watch.lost(ALL - {part}, 100.0 + patience_s) is part


@pytest.mark.parametrize(("part", "patience_s"), IN_TIME.items())
def test_a_part_that_comes_back_in_time_is_missed_from_then_on(part: Part, patience_s: float):
    watch = watching()
    back_s = 100.0 + patience_s - 0.1
    assert watch.lost(ALL, back_s) is None
    assert watch.lost(ALL - {part}, back_s + patience_s - 0.1) is None
    assert watch.lost(ALL - {part}, back_s + patience_s + 0.1) is part


def test_of_several_parts_the_one_that_takes_the_others_along_is_told():
    assert watching().lost(frozenset(), 1000.0) is Part.SERVE_RUN
    assert watching().lost({Part.SERVE_RUN}, 1000.0) is Part.RAYLET


def test_a_dead_gcs_is_told_within_ten_seconds_and_after_the_sessions_were():
    assert Limits().gcs_silence_s + gcs_watch.LOOK_EVERY_S < PATIENCE_S[Part.GCS] < 8


def test_a_gcs_that_hangs_is_told_within_fifteen_seconds_and_after_the_sessions_were():
    """The GCS hangs at 0 s. /health shows that after AWAY_S and one period of its watch."""
    silence_s, period_s = Limits().gcs_silence_s, gcs_watch.ASK_EVERY_S + gcs_watch.LOOK_EVERY_S
    for last_s, at_s in (
        (gcs_watch.AWAY_S - ASK_EVERY_S, silence_s + period_s),  # the earliest last good answer
        (gcs_watch.AWAY_S + period_s, 15.0 - ASK_EVERY_S),
    ):
        watch = ClusterWatch(silence_s)
        assert watch.lost(ALL, last_s) is None
        is_told = watch.lost(ALL - {Part.GCS_ANSWERS}, at_s) is Part.GCS_ANSWERS
        assert is_told == (at_s > silence_s + period_s)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (Part.SERVE_RUN, "the server ended by itself"),
        (Part.RAYLET, "raylet"),
        (Part.GCS, "gcs_server"),
        (Part.GCS_ANSWERS, "does not answer"),
        (Part.CONTROLLER, "controller has been gone for 60 s"),
        (Part.PROXY, "proxy has been gone for 60 s"),
        (Part.ANSWERS, "/health has not answered for 120 s"),
    ],
)
def test_the_operator_is_told_the_part(part: Part, name: str):
    assert name in told(part)
