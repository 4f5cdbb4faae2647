"""The voices of the embedded model are those of its teachers, by an independent encoder."""

import asyncio
import shutil

import numpy as np
import pytest

from app.config import ServeArgs
from training.assemble import NAMES
from training.speaker_similarity import compare, speaker_similarity

SOME = ("slt", "rms")

pytestmark = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, float]]:
    return asyncio.run(speaker_similarity(ServeArgs(model="embedded"), 2, teachers=SOME))


@pytest.fixture(scope="module")
def all_figures() -> dict[str, dict[str, float]]:
    return asyncio.run(speaker_similarity(ServeArgs(model="embedded"), 3))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["teacher", "own", "cloned"])
@pytest.mark.parametrize("teacher", SOME)
def test_a_voice_is_nearest_to_its_own_speaker(figures, teacher, kind):
    voice = figures[f"{teacher}, {kind}"]
    assert voice["is_nearest_own"] == 1.0
    assert voice["cosine"] > voice["nearest_other"] + 0.1


@pytest.mark.long
@pytest.mark.parametrize("kind", ["teacher", "own", "cloned"])
@pytest.mark.parametrize("teacher", NAMES)
def test_every_voice_is_nearest_to_its_own_speaker(all_figures, teacher, kind):
    test_a_voice_is_nearest_to_its_own_speaker(all_figures, teacher, kind)


def test_a_voice_that_is_nearest_to_another_speaker_is_counted():
    one, other = np.eye(2, dtype=np.float32)
    speakers = {"slt": one, "rms": other}
    assert compare(one[None], "slt", speakers)["is_nearest_own"] == 1.0
    assert compare(one[None], "rms", speakers)["is_nearest_own"] == 0.0
