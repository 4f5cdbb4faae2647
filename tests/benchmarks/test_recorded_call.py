from itertools import pairwise

import numpy as np
import pytest

from benchmarks.recorded_call import LABELS, RATE, SOUND, read_call


@pytest.fixture(scope="module")
def call():
    return read_call()


def level(pcm):
    return 20 * np.log10(np.sqrt((pcm.astype(float) ** 2).mean()) / 32768 + 1e-9)


def test_the_files_are_small():
    assert SOUND.stat().st_size + LABELS.stat().st_size <= 1_000_000


def test_the_call_has_everything_that_a_listener_does(call):
    assert len(call.of_kind("interruption")) >= 10
    assert len(call.of_kind("back_channel")) >= 10
    assert sum(moment.text == "mm-hm" for moment in call.moments) >= 5
    assert len({moment.text for moment in call.of_kind("noise")}) >= 5


def test_moments_lie_in_order_with_pauses_between_them(call):
    assert call.moments[0].began_s >= 1.0
    assert all(after.began_s - one.ended_s >= 1.0 for one, after in pairwise(call.moments))
    assert call.moments[-1].ended_s < len(call.pcm) / RATE


def test_a_label_is_where_the_voice_begins(call):
    for moment in call.of_kind("interruption"):
        before = level(call.cut(moment.began_s - 0.2, moment.began_s - 0.02))
        begin = level(call.cut(moment.began_s, moment.began_s + 0.1))
        assert before < -55
        assert begin > before + 10, moment
