"""The loader, and tiny streaming models of each kind that hear loudness."""

import numpy as np
import onnx
import pytest

from app.errors import ConfigError
from app.hearing.sherpa_recogniser import SherpaRecogniser
from tests.support import tiny_nemo_model, tiny_zipformer_model

FRAME = 512


KINDS = {"zipformer2": tiny_zipformer_model, "nemo": tiny_nemo_model}


@pytest.fixture(scope="module", params=KINDS)
def recogniser(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    KINDS[request.param].write_ctc(folder)
    return SherpaRecogniser(str(folder))


def loud(seconds):
    rng = np.random.default_rng(1)
    return (rng.standard_normal(round(seconds * 16_000)) * 8000).astype("<i2").tobytes()


def silent(seconds):
    return bytes(round(seconds * 16_000) * 2)


def heard(recogniser, sound):
    size = FRAME * 2
    texts = [recogniser.accept(sound[at : at + size]) for at in range(0, len(sound), size)]
    return [text for text in texts if text is not None]


def test_words_come_while_they_are_spoken(recogniser):
    sound = silent(0.3) + loud(0.3) + silent(0.3) + loud(0.3)
    assert heard(recogniser, sound) == ["sound", "sound sound"]
    assert recogniser.live()
    assert recogniser.final() == "sound sound"
    assert not recogniser.live()


def test_the_last_word_is_pushed_out_at_the_end(recogniser):
    heard(recogniser, silent(0.3) + loud(0.06))
    assert recogniser.final() == "sound"


def test_nothing_of_an_aborted_utterance_is_in_the_next(recogniser):
    heard(recogniser, silent(0.3) + loud(0.3))
    recogniser.abort()
    assert not recogniser.live()
    assert recogniser.final() == ""
    heard(recogniser, silent(0.5))
    assert recogniser.final() == ""


def test_a_model_of_long_steps_hears_the_last_word_too(tmp_path):
    tiny_nemo_model.write_ctc(tmp_path, chunk=121)
    recogniser = SherpaRecogniser(str(tmp_path))
    assert heard(recogniser, silent(0.2) + loud(0.1)) == []
    assert recogniser.final() == "sound"


@pytest.mark.parametrize("kind", KINDS)
def test_a_transducer_is_loaded_from_its_three_files(tmp_path, kind):
    KINDS[kind].write_transducer(tmp_path)
    recogniser = SherpaRecogniser(str(tmp_path))
    assert heard(recogniser, silent(0.3) + loud(0.3)) == ["sound"]
    recogniser.abort()
    assert heard(recogniser, silent(0.5)) == []
    assert heard(recogniser, loud(0.3)) == ["sound"]
    assert recogniser.final() == "sound"


def test_a_model_is_needed():
    with pytest.raises(ConfigError, match="needs the folder"):
        SherpaRecogniser(None)


@pytest.mark.parametrize("metadata", [{}, {"model_type": "EncDecCTCModelBPE"}])
def test_a_ctc_model_that_does_not_stream_is_refused(tmp_path, metadata):
    tiny_nemo_model.write_ctc(tmp_path)
    model = onnx.load(tmp_path / "model.onnx")
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ConfigError, match="is no streaming CTC model"):
        SherpaRecogniser(str(tmp_path))


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ((), "has no tokens.txt"),
        (("tokens.txt",), "has neither"),
        (("tokens.txt", "encoder.onnx", "decoder.onnx"), "has neither"),
        (("tokens.txt", "encoder.int8.onnx", "joiner.onnx"), "has neither"),
    ],
)
def test_a_folder_without_a_whole_model_is_refused(tmp_path, files, problem):
    for name in files:
        (tmp_path / name).write_text("")
    with pytest.raises(ConfigError, match=problem):
        SherpaRecogniser(str(tmp_path))
