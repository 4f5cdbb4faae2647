"""The policy that a model is served with."""

import pytest

from app.config import VocoderSettings
from app.engine.checkpoint.source import open_checkpoint
from app.engine.stages.vocoder import with_policy
from tests.support.engine.checkpoint.tiny import TINY_S3GEN

KNOWS_MASKS = TINY_S3GEN.model_copy(update={"chunk_masks": True})


@pytest.mark.parametrize(
    ("spec", "asked", "policy"),
    [
        (TINY_S3GEN, None, "window"),
        (KNOWS_MASKS, None, "chunked"),
        (KNOWS_MASKS, "window", "window"),
        (TINY_S3GEN, "chunked", "chunked"),
        (TINY_S3GEN, "full", "full"),
    ],
)
def test_the_policy_is_the_configured_one_or_the_models_own(spec, asked, policy):
    assert with_policy(VocoderSettings(policy=asked), spec).policy == policy


@pytest.mark.parametrize("name", ["random-english", "random-turbo", "random-multilingual"])
def test_published_weights_are_served_with_the_window_policy(name):
    assert with_policy(VocoderSettings(), open_checkpoint(name).spec.s3gen).policy == "window"
