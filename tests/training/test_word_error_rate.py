import shutil
from functools import partial

import pytest
from pocketsphinx import Decoder

from app.config import ServeArgs
from training.corpus import NumberSentence, Sentence, with_numbers
from training.synthesise_corpus import flite
from training.word_error_rate import (
    FORMS,
    rate_model,
    rates_by_form,
    recognise,
    texts_of_forms,
    word_error_rates,
    word_errors,
)

COATS = NumberSentence("I own 2 coats.", "I own two coats.")


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
    rate = partial(word_error_rates, sentences)
    rates = await rate_model(args, ["ada"], sentences, {"seed": 1}, at_once=2, rate=rate)
    assert rates["ada"].keys() == {"open", "spoken", "all"}
    assert rates["ada"]["all"] >= 0.5, "embedded-turbo speaks no language"


def test_every_form_of_a_sentence_is_spoken_once():
    spoken = [sentence.text for sentence in texts_of_forms([COATS, COATS])]
    assert spoken == ["I own 2 coats.", "I own two coats."]
    assert FORMS["normalised"](COATS) == FORMS["in words"](COATS)


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_a_form_is_rated_by_the_words_that_are_to_be_heard():
    texts = []

    def speak(text):
        texts.append(text)
        said = "the weather is cold today" if "2" in text else "I own two coats."
        return flite(said, "rms")[0]

    rates = rates_by_form([COATS], speak)
    assert texts == [text_of(COATS) for text_of in FORMS.values()]
    assert rates["as written"] > 0.7 > rates["normalised"] == rates["in words"]


def test_the_words_of_forty_sentences_have_no_number_and_no_sign():
    sentences = with_numbers()
    assert len({sentence.spoken for sentence in sentences}) == 40
    for written, spoken in sentences:
        assert written != spoken
        assert not any(char.isdigit() or char in "&%$°*" for char in spoken), spoken
