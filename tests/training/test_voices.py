"""A voice that is cloned at the default setting is nearest to its own speaker."""

import shutil

import numpy as np
import pytest
import torch

from app.config import ServeArgs
from app.core import SAMPLE_RATE
from app.engine.checkpoint.source import open_checkpoint
from app.engine.checkpoint.spec import EMBEDDED
from app.engine.voices.enrolment import prepare
from app.engine.voices.reference_audio import ReferenceAudio
from training.assemble import NAMES
from training.corpus import held_out
from training.make_embedded import CONFIG, Recipe, vowels
from training.speaker_similarity import reference_recording

GAINS_DB = (0, -25)


def recordings(model):
    """By voice of the model: of the same speaker, and for `embedded` of other sentences."""
    if model == "embedded":
        return {NAMES[t]: reference_recording(t, held_out()[-12:]) for t in NAMES}
    recipe = Recipe.model_validate_json(CONFIG.read_text())
    return {name: vowels(voice, 6.0) for name, voice in recipe.voices.items()}


@pytest.mark.full
@pytest.mark.parametrize("model", EMBEDDED)
def test_a_cloned_voice_is_nearest_to_its_own_speaker(model):
    if model == "embedded" and shutil.which("flite") is None:
        pytest.skip("flite is not installed")
    checkpoint = open_checkpoint(model, None)
    models, spec = checkpoint.load_enrolment(torch.device("cpu")), checkpoint.spec
    own = {name: checkpoint.conditionals(name).t3.speaker_emb for name in checkpoint.voices()}
    how, nearest = ServeArgs().enrolment, {}
    for name, wav in recordings(model).items():
        for gain_db in GAINS_DB:
            recording = ReferenceAudio(wav * np.float32(10 ** (gain_db / 20)), SAMPLE_RATE, name)
            made = prepare(recording, models, spec.family, name, how, lufs=spec.reference_lufs)
            likeness = {o: torch.cosine_similarity(made.t3.speaker_emb, own[o], 0) for o in own}
            nearest[name, gain_db] = max(likeness, key=likeness.get)
    assert nearest == {(name, gain_db): name for name, gain_db in nearest}
