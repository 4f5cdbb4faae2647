"""The last token of a segment is context without a sound, as upstream's master has it for every
multilingual model: `wav[: max(1, n - 1) * 960]` of the whole sound."""

import json
import shutil

import numpy as np
import pytest

from app.config import ServeArgs
from app.core import SAMPLES_PER_TOKEN, FinishReason
from app.engine.checkpoint.find_model import EMBEDDED_FOLDER
from app.engine.s3gen.engine import VocoderEngine
from app.engine.stages.vocoder import VocoderStage
from tests.support.engine.checkpoint.tiny import TINY_MEANFLOW
from tests.support.engine.s3gen.voicing import CHUNKED, FULL, engine_of, far, joined, say, speech

_FADE = 120  # samples, 5 ms


@pytest.fixture(scope="module")
def muting() -> VocoderEngine:
    return engine_of(TINY_MEANFLOW, CHUNKED, mutes_last_token=True)


@pytest.mark.parametrize("num_tokens", [1, 2, 3, 11, 12, 13, 14, 15, 16, 27, 40])
def test_a_segment_has_the_length_of_upstreams(muting: VocoderEngine, num_tokens: int):
    items = say(muting, "a", 1, speech(1, num_tokens), [3] * (num_tokens // 3))
    assert len(joined(items)) == max(1, num_tokens - 1) * SAMPLES_PER_TOKEN
    assert [item.finish for item in items] == [None] * (len(items) - 1) + [FinishReason.STOP]
    muting.check_integrity()


@pytest.mark.parametrize("settings", [FULL, CHUNKED], ids=["full", "chunked"])
def test_the_sound_before_is_that_of_the_whole_segment(settings):
    """But for its fade and its watermark, which depends on the end. A segment whose last token is
    left out in T3 sounds otherwise, because the vocoder looks ahead."""
    ids = speech(1, 40)
    whole = joined(say(engine_of(TINY_MEANFLOW, settings), "a", 1, ids))
    muted = joined(say(engine_of(TINY_MEANFLOW, settings, mutes_last_token=True), "a", 1, ids))
    far_from_the_end, end = 34 * SAMPLES_PER_TOKEN, len(muted) - _FADE
    np.testing.assert_allclose(muted[:far_from_the_end], whole[:far_from_the_end], atol=1e-6)
    assert far(muted[:end], whole[:end]) < 0.05
    without = joined(say(engine_of(TINY_MEANFLOW, settings), "a", 1, ids[:-1]))
    assert len(without) == len(muted)
    assert far(without[:end], whole[:end]) > 0.3


def test_the_end_fades_to_silence(muting: VocoderEngine):
    wave = joined(say(muting, "a", 1, speech(1, 30)))
    assert np.abs(wave[-2:]).max() < 1e-3
    assert np.abs(wave[-2000:-1000]).max() > 0.01


@pytest.mark.full
def test_a_stage_mutes_what_its_model_mutes(tmp_path):
    shutil.copytree(EMBEDDED_FOLDER / "embedded-babble", tmp_path, dirs_exist_ok=True)
    config = tmp_path / "config.json"
    document = json.loads(config.read_text())
    lengths = []
    for mutes in (False, True):
        config.write_text(json.dumps({**document, "mutes_last_token": mutes}))
        stage = VocoderStage.open(ServeArgs(model=str(tmp_path)), "cpu")
        lengths.append(len(joined(say(stage.engine, "a", 1, speech(1, 20)))))
    assert lengths == [20 * SAMPLES_PER_TOKEN, 19 * SAMPLES_PER_TOKEN]
