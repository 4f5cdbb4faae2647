"""Tables of what is understood, on the embedded model and two sentences."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from app.config import ServeArgs, VocoderSettings
from app.core import FinishReason
from app.engine.checkpoint.source import open_checkpoint
from app.engine.stages.t3 import T3Stage
from app.engine.stages.vocoder import VocoderStage
from training.corpus import held_out
from training.wer_tables import ROWS, Kept, Row, Speaker, tables

SENTENCES = [sentence for sentence in held_out() if sentence.kind == "spoken"][:3]
NAMES = ("whole", "window", "neighbours cancelled")


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
async def test_every_row_is_rated_beside_the_teacher_and_its_tokens():
    rows = {name: ROWS[name] for name in NAMES}
    with ThreadPoolExecutor(1) as judges:
        told = await tables("embedded", "bela", SENTENCES[:2], rows, judges)
    rates = told["word_error_rate"]
    assert set(rates) == {*NAMES, "teacher's tokens", "teacher"}
    assert rates["teacher"]["all"] <= 0.5
    assert told["ended_by_itself"] == 1.0
    for share in told["length_beside_teacher"]:
        assert 0.6 < share < 1.6, "something is cut, or goes on after the last word"


async def test_neighbours_that_are_cancelled_change_nothing_that_is_heard():
    t3 = T3Stage.open(ServeArgs(), "cpu")
    kept = Kept(t3)
    sampling = replace(open_checkpoint("embedded").spec.sampling, seed=1)
    said = []
    for row in (Row({"max_rows": 1}, at_once=1), Row({"max_rows": 8}, at_once=3, cancels=True)):
        settings = VocoderSettings.model_validate(row.settings)
        stage = VocoderStage.open(ServeArgs(vocoder=settings), "cpu")
        speaker = Speaker(stage.pipeline(kept), "bela", sampling)
        said.append(await speaker.say(SENTENCES, row))
        stage.close()
    t3.close()
    assert all(finish is FinishReason.STOP for _, finish in kept.said.values())
    alone, beside = said
    for text in alone:
        assert np.abs(beside[text] - alone[text]).max() <= 1e-3 * np.abs(alone[text]).max()
