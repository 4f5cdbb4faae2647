"""Text to sound with both stages in int8, in one process."""

from contextlib import aclosing

import numpy as np
import pytest

from app.config import Limits, ServeArgs, VocoderSettings
from app.core import SAMPLES_PER_TOKEN, VoiceRef
from app.engine.synthesizer import LocalSynthesizer
from app.t3_settings import T3Settings
from tests.support.engine.int8 import needs_int8
from tests.support.engine.speaking import request_of

pytestmark = [pytest.mark.full, needs_int8]


async def sound(synthesizer: LocalSynthesizer, name: str) -> np.ndarray:
    voice = VoiceRef(synthesizer.card().voices[0])
    async with aclosing(synthesizer.speak(request_of(synthesizer, name, voice))) as chunks:
        return np.concatenate([chunk.pcm async for chunk in chunks])


@pytest.mark.parametrize("model", ["embedded-babble", "embedded-turbo"])
async def test_a_request_that_is_repeated_has_the_same_sound(model):
    args = ServeArgs(
        model=model,
        t3=T3Settings(dtype="int8"),
        vocoder=VocoderSettings(dtype="int8", max_rows=1),
        limits=Limits(first_audio_s=200.0),
    )
    synthesizer = LocalSynthesizer.open(args)
    try:
        first, second = [await sound(synthesizer, name) for name in ("first", "second")]
    finally:
        synthesizer.close()
    np.testing.assert_array_equal(first, second)
    assert len(first) % SAMPLES_PER_TOKEN == 0
    assert np.abs(first).max() > 0.01
