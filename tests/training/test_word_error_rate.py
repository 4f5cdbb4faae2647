import shutil

import pytest
from pocketsphinx import Decoder

from app.config import ServeArgs
from training.corpus import Sentence
from training.synthesise_corpus import flite
from training.word_error_rate import heard, of_model, word_errors


@pytest.mark.parametrize(
    ("said", "understood", "errors"),
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
def test_word_errors_are_the_fewest_changes(said: str, understood: str, errors: int):
    assert word_errors(said.split(), understood.split()) == errors


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_the_judge_understands_the_teacher():
    wav, _ = flite("the weather is cold today", "rms")
    decoder = Decoder(samprate=16_000, loglevel="FATAL")
    assert heard(decoder, wav) == ("the", "weather", "is", "cold", "today")
    assert heard(decoder, wav[:0]) == ()


async def test_a_model_is_judged_by_what_its_own_engines_say():
    sentences = [Sentence("open", "Hi."), Sentence("spoken", "Hello.")]
    args = ServeArgs(model="embedded-turbo")
    rates = await of_model(args, ["ada"], sentences, {"seed": 1}, at_once=2)
    assert rates["ada"].keys() == {"open", "spoken", "all"}
    assert rates["ada"]["all"] >= 0.5, "it speaks no language"
