"""An independent recogniser understands the embedded model."""

from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from app.config import ServeArgs
from app.core import SAMPLES_PER_TOKEN, VoiceRef
from app.engine.synthesizer import LocalSynthesizer
from training.corpus import Sentence, held_out
from training.word_error_rate import Wav, synthesise, word_error_rates

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]

SENTENCES = [sentence for sentence in held_out() if sentence.kind == "spoken"][:3]
VOICE, SEED = VoiceRef("bela"), 1
MOST = 0.65  # word error rate; 0.27 over 30 sentences, but three sentences vary more


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def synthesizer() -> AsyncIterator[LocalSynthesizer]:
    opened = LocalSynthesizer.open(ServeArgs(model="embedded"))
    yield opened
    opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def together(synthesizer: LocalSynthesizer) -> dict[str, Wav]:
    return await synthesise(synthesizer, VOICE, SENTENCES, {"seed": SEED}, at_once=len(SENTENCES))


def word_error_rate(sentences: list[Sentence], wavs: dict[str, Wav]) -> float:
    return word_error_rates(sentences, wavs.__getitem__)["all"]


def shuffled(wav: Wav) -> Wav:
    """The 40 ms of the tokens in random order."""
    tokens = wav[: len(wav) // SAMPLES_PER_TOKEN * SAMPLES_PER_TOKEN].reshape(-1, SAMPLES_PER_TOKEN)
    return np.random.default_rng(0).permutation(tokens).reshape(-1)


async def test_most_words_are_recognised_and_none_of_shuffled_audio(together: dict[str, Wav]):
    assert word_error_rate(SENTENCES, together) <= MOST
    noise = {text: shuffled(wav) for text, wav in together.items()}
    assert word_error_rate(SENTENCES[:1], noise) > 0.9  # one: the recogniser is slow on noise


async def test_a_batch_has_the_word_error_rate_of_single_sentences(
    synthesizer: LocalSynthesizer, together: dict[str, Wav]
):
    some = SENTENCES[:1]
    alone = await synthesise(synthesizer, VOICE, some, {"seed": SEED}, at_once=1)
    rates = [word_error_rate(some, wavs) for wavs in (alone, together)]
    assert abs(rates[0] - rates[1]) <= 0.02
