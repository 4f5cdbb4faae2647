"""How much the rows beside a row change its sound, on trained weights.

The rows of a call round otherwise than each of them alone. Only the pitch makes that audible to a
comparison: the phase of the sines is the sum of the pitch of all frames so far.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.config import VocoderSettings
from app.engine.checkpoint.source import open_checkpoint
from app.engine.conditionals import S3GenConditionals
from app.engine.s3gen.decoder import CellJob, Decoder
from app.engine.s3gen.grid import Cell
from app.engine.s3gen.sine_source import SineSource
from tests.support.engine.s3gen.voicing import far, speech

pytestmark = pytest.mark.full
NUM_TOKENS = 100
SEED = 1
ROUNDING = 1e-5  # of the peak; 2e-6 were measured
DRIFT = 3e-3  # 9e-4 were measured, and 1.2e-3 in three times the time


class Pitches:
    """The pitch of each call's first row: noted, and replaced where `given` has some."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.noted: list[Tensor] = []
        self.given: Iterator[Tensor] = iter(())
        predict = SineSource.pitch

        def pitch(source: SineSource, mel: Tensor, lengths: Sequence[int]) -> Tensor:
            rows = predict(source, mel, lengths)
            self.noted.append(rows[0, : lengths[0]].clone())
            given = next(self.given, None)
            if given is not None:
                rows[0, : len(given)] = given
            return rows

        monkeypatch.setattr(SineSource, "pitch", pitch)


class Voicing:
    def __init__(self, model: str) -> None:
        checkpoint = open_checkpoint(model)
        settings = VocoderSettings(policy="chunked", euler_steps=1)
        vocoder = checkpoint.load_vocoder(torch.device("cpu"))
        self._decoder = Decoder(vocoder, settings, checkpoint.spec.s3gen.euler_steps)
        voice = checkpoint.voices()[0]
        self._voice: S3GenConditionals = checkpoint.conditionals(voice).s3gen

    def first_of(self, *segments: Sequence[int]) -> NDArray[np.float32]:
        """The sound of the first segment. The next cell of each segment runs in the same call."""
        count = len(segments)
        states = [self._decoder.start(self._voice, n, 0, fade_in=True) for n in range(count)]
        cells: list[Cell | None] = [None] * count
        heard: list[NDArray[np.float32]] = []
        live = list(range(count))
        while 0 in live:
            jobs = []
            for n in live:
                tokens = segments[n]
                cell = self._decoder.grid.next_cell(cells[n], len(tokens), finished=True)
                assert cell is not None
                cells[n] = cell
                jobs.append(CellJob(states[n], cell, tokens))
            made = self._decoder.run(jobs)
            for n, (state, _) in zip(live, made, strict=True):
                states[n] = state
            heard.append(made[0][1])
            live = [n for n, job in zip(live, jobs, strict=True) if not job.cell.is_last]
        return np.concatenate(heard)


def test_the_rows_beside_a_row_change_its_sound_by_its_pitch_alone(
    monkeypatch: pytest.MonkeyPatch,
):
    voicing, pitches = Voicing("embedded"), Pitches(monkeypatch)
    own, other = speech(SEED, NUM_TOKENS), speech(SEED + 9, NUM_TOKENS // 2)
    alone = voicing.first_of(own)
    pitch_alone, pitches.noted = pitches.noted, []
    np.testing.assert_array_equal(voicing.first_of(own), alone)
    assert far(voicing.first_of(own, other), alone) <= DRIFT
    pitches.given = iter(pitch_alone)
    assert far(voicing.first_of(own, other), alone) <= ROUNDING
    pitches.given = (pitch + 0.01 for pitch in pitch_alone)  # Hz
    assert far(voicing.first_of(own, other), alone) > DRIFT
