"""When a server's cluster counts as dead."""

import pytest

from app.config import Limits
from deployments.cluster_watch import PATIENCE_S, ClusterWatch, Part, told
from deployments.gcs_watch import LOOK_EVERY_S

ALL = frozenset(Part)
IN_TIME = (Part.RAYLET, Part.GCS, Part.CONTROLLER, Part.PROXY, Part.ANSWERS)


def watching() -> ClusterWatch:
    """A watch that saw every part at 100 s."""
    watch = ClusterWatch()
    assert watch.lost(ALL, 100.0) is None
    return watch


@pytest.mark.parametrize("part", Part)
def test_a_part_that_was_never_there_is_not_missed(part: Part):
    watch = ClusterWatch()
    for now_s in (0.0, 1000.0, 2000.0):
        assert watch.lost(ALL - {part}, now_s) is None


def test_the_end_of_serve_run_is_told_at_once_also_where_it_ended_its_cluster_first():
    watch = watching()
    assert watch.lost({Part.SERVE_RUN, Part.GCS}, 102.9) is None
    assert watch.lost((), 103.0) is Part.SERVE_RUN


@pytest.mark.parametrize("part", IN_TIME)
def test_the_other_parts_are_lost_after_their_patience(part: Part):
    watch = watching()
    assert watch.lost(ALL - {part}, 100.0 + PATIENCE_S[part] - 0.1) is None
    assert watch.lost(ALL - {part}, 100.0 + PATIENCE_S[part]) is part


@pytest.mark.parametrize("part", IN_TIME)
def test_a_part_that_comes_back_in_time_is_missed_from_then_on(part: Part):
    watch = watching()
    back_s = 100.0 + PATIENCE_S[part] - 0.1
    assert watch.lost(ALL, back_s) is None
    assert watch.lost(ALL - {part}, back_s + PATIENCE_S[part] - 0.1) is None
    assert watch.lost(ALL - {part}, back_s + PATIENCE_S[part] + 0.1) is part


def test_of_several_parts_the_one_that_takes_the_others_along_is_told():
    assert watching().lost(frozenset(), 1000.0) is Part.SERVE_RUN
    assert watching().lost({Part.SERVE_RUN}, 1000.0) is Part.RAYLET


def test_a_dead_gcs_is_told_within_ten_seconds_and_after_the_sessions_were():
    assert Limits().gcs_silence_s + LOOK_EVERY_S < PATIENCE_S[Part.GCS] < 8


@pytest.mark.parametrize(
    ("part", "name"),
    [
        (Part.SERVE_RUN, "the server ended by itself"),
        (Part.RAYLET, "raylet"),
        (Part.GCS, "gcs_server"),
        (Part.CONTROLLER, "controller has been gone for 60 s"),
        (Part.PROXY, "proxy has been gone for 60 s"),
        (Part.ANSWERS, "/health has not answered for 120 s"),
    ],
)
def test_the_operator_is_told_the_part(part: Part, name: str):
    assert name in told(part)
