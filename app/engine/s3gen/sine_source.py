"""The source signal that excites HiFT: nine sines at the voice's pitch and a little noise.

Rows may have any lengths. Source: upstream's ConvRNNF0Predictor, SineGen and SourceModuleHnNSF.
Phases are float64 cycles (upstream's float32 sum is off by a thousandth of a cycle after 10 s), and
the noise is an input. So pieces of a signal equal the whole. Knows nothing about windows.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from app.core import SAMPLE_RATE, SAMPLES_PER_FRAME
from app.engine.device.transfer import upload
from app.engine.upstream.vocoder_modules import HiFTGenerator

PITCH_CONTEXT = 5  # frames on either side that the pitch predictor sees


class SineSource:
    def __init__(self, mel2wav: HiFTGenerator) -> None:
        self._predictor = mel2wav.f0_predictor
        self._merge = mel2wav.m_source.l_linear
        self._sine = mel2wav.m_source.l_sin_gen
        harmonics = torch.arange(1, self._sine.harmonic_num + 2, dtype=torch.float64)
        self.harmonics = harmonics.to(self._merge.weight.device)

    def pitch(self, mel: Tensor, lengths: Sequence[int]) -> Tensor:
        """(rows, 80, frames), zero behind each row's end -> (rows, frames) Hz, undefined there."""
        is_ragged = len(set(lengths)) > 1
        index = torch.arange(mel.shape[2], device=mel.device)
        ends = upload(lengths, torch.int64, mel.device)[:, None, None]
        present = index < ends if is_ragged else None
        x = mel
        for layer in self._predictor.condnet:
            x = layer(x)
            if present is not None and isinstance(layer, nn.Conv1d):  # ELU keeps zero
                x = x * present
        pitch: Tensor = self._predictor.classifier(x.mT)[:, :, 0].abs()
        return pitch

    def excitation(
        self, pitch: Tensor, phase: Tensor, initial_phase: Tensor, noise: Tensor
    ) -> Tensor:
        """Returns (rows, samples). pitch: (rows, frames) Hz, constant within a frame. phase: (rows,
        harmonics) float64 cycles before the first sample. initial_phase: (rows, harmonics) radians.
        noise: (rows, samples, harmonics) standard normal."""
        per_sample = pitch.double()[:, None] * self.harmonics[:, None] / SAMPLE_RATE
        before = phase[:, :, None] + (per_sample.cumsum(2) - per_sample) * SAMPLES_PER_FRAME
        sample = torch.arange(1, SAMPLES_PER_FRAME + 1, device=pitch.device, dtype=torch.float64)
        cycles = (before[..., None] + per_sample[..., None] * sample) % 1
        wave = torch.sin((2 * torch.pi * cycles + initial_phase[..., None, None]).float())
        voiced = (pitch > self._sine.voiced_threshold).float()[:, None]
        voiced = voiced.repeat_interleave(SAMPLES_PER_FRAME, 2)  # (rows, 1, samples)
        noise_amp = voiced * self._sine.noise_std + (1 - voiced) * self._sine.sine_amp / 3
        excitation = self._sine.sine_amp * wave.flatten(2) * voiced + noise_amp * noise.mT
        merged: Tensor = self._merge(excitation.mT)
        return torch.tanh(merged[:, :, 0])

    def turns(self, pitch: Tensor) -> Tensor:
        """(frames,) Hz -> (harmonics,) float64 cycles over all frames."""
        return pitch.double().sum() * SAMPLES_PER_FRAME / SAMPLE_RATE * self.harmonics
