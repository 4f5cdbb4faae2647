"""The embedded model's voices are those of its teachers, by an encoder that knows nothing of it."""

import asyncio
import shutil

import numpy as np
import pytest

from training.assemble import NAMES
from training.speaker_similarity import judged, likeness

NUM_SENTENCES = 3

pytestmark = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, float]]:
    return asyncio.run(likeness("embedded", NUM_SENTENCES))


@pytest.mark.parametrize("kind", ["teacher", "own", "cloned"])
@pytest.mark.parametrize("teacher", NAMES)
def test_a_voice_is_nearer_to_its_own_speaker_than_to_any_other(told, teacher, kind):
    heard = told[f"{teacher}, {kind}"]
    assert heard["is_nearest_own"] == 1.0
    assert heard["cosine"] > heard["nearest_other"] + 0.1


def test_a_voice_that_is_taken_for_another_is_told():
    one, other = np.eye(2, dtype=np.float32)
    speakers = {"slt": one, "rms": other}
    assert judged(one[None], "slt", speakers)["is_nearest_own"] == 1.0
    assert judged(one[None], "rms", speakers)["is_nearest_own"] == 0.0
