"""The word error rates of vocoder settings, on the embedded model and two sentences."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from app.config import ServeArgs, VocoderSettings
from app.core import FinishReason, VoiceRef
from app.engine.checkpoint.source import open_checkpoint
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage
from training.corpus import held_out
from training.wer_tables import ROWS, CachedTokens, Row, Speaker, rate_rows

SENTENCES = [sentence for sentence in held_out() if sentence.kind == "spoken"][:2]


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
@pytest.mark.parametrize(
    ("names", "num_sentences"),
    [
        pytest.param(["whole"], 1, marks=pytest.mark.long),
        pytest.param(["whole", "window", "neighbours cancelled"], 2, marks=pytest.mark.long),
    ],
)
async def test_the_table_has_every_row_and_the_teacher(names, num_sentences):
    rows = {name: ROWS[name] for name in names}
    with ThreadPoolExecutor(1) as recogniser:
        table = await rate_rows("embedded", "bela", SENTENCES[:num_sentences], rows, recogniser)
    rates = table["word_error_rate"]
    assert set(rates) == {*names, "teacher's tokens", "teacher"}
    assert rates["teacher"]["all"] <= 0.5
    assert table["ended_by_itself"] == 1.0
    for share in table["relative_length"]:
        assert 0.6 < share < 1.6, "the end is cut off, or babble follows the last word"


@pytest.mark.long
async def test_cancelled_neighbours_do_not_change_the_audio():
    t3 = T3Stage.open(ServeArgs(), "cpu")
    t3.start()
    tokens = CachedTokens(t3)
    sampling = replace(open_checkpoint("embedded").spec.sampling, seed=1)
    takes = []
    for row in (Row({"max_rows": 1}, at_once=1), Row({"max_rows": 8}, at_once=3, cancels=True)):
        settings = VocoderSettings.model_validate(row.settings)
        stage = VocoderStage.open(ServeArgs(vocoder=settings), "cpu")
        stage.start()
        speaker = Speaker(stage.pipeline(tokens), VoiceRef("bela"), sampling)
        takes.append(await speaker.say(SENTENCES, row))
        stage.close()
    t3.close()
    assert all(finish is FinishReason.STOP for _, finish in tokens.by_text.values())
    alone, beside = takes
    for text in alone:
        assert np.abs(beside[text] - alone[text]).max() <= 1e-3 * np.abs(alone[text]).max()
