import shutil

import pytest
from pocketsphinx import Decoder

from app.config import ServeArgs
from training.corpus import Sentence
from training.synthesise_corpus import flite
from training.word_error_rate import rate_model, recognise, word_errors


@pytest.mark.parametrize(
    ("spoken", "recognised", "errors"),
    [
        ("a b c", "a b c", 0),
        ("a b c", "", 3),
        ("", "a b", 2),
        ("a b c", "a x c", 1),
        ("a b c", "a c", 1),
        ("a b c", "a b b c", 1),
        ("a b c d", "b c d a", 2),
    ],
)
def test_word_errors_are_the_levenshtein_distance(spoken: str, recognised: str, errors: int):
    assert word_errors(spoken.split(), recognised.split()) == errors


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_the_recogniser_understands_the_teacher():
    wav, _ = flite("the weather is cold today", "rms")
    decoder = Decoder(samprate=16_000, loglevel="FATAL")
    assert recognise(decoder, wav) == ("the", "weather", "is", "cold", "today")
    assert recognise(decoder, wav[:0]) == ()


async def test_a_model_is_rated_by_the_audio_of_its_engines():
    sentences = [Sentence("open", "Hi."), Sentence("spoken", "Hello.")]
    args = ServeArgs(model="embedded-turbo")
    rates = await rate_model(args, ["ada"], sentences, {"seed": 1}, at_once=2)
    assert rates["ada"].keys() == {"open", "spoken", "all"}
    assert rates["ada"]["all"] >= 0.5, "embedded-turbo speaks no language"
