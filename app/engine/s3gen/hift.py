"""Mel to waveform in windows, over upstream's HiFTGenerator.

A window decodes the frames that are new plus a halo on both sides, which is thrown away; only the
utterance's own ends are padded with zeros. The source (the sine and noise that excite the filter)
is carried: its phase in float64, its noise by absolute sample, its initial phases by request, so
the windows' sound is the whole decode's. Measured on random weights: the filter reaches 15 frames
to either side, the pitch predictor 5 more. A halo of 15 is exact for a given source; the pitch of
its last 5 frames is provisional, which a halo of 20 keeps out. Knows nothing about tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from chatterbox.models.s3gen.hifigan import HiFTGenerator
from torch import Tensor
from torch.nn.utils import parametrize

from app.core import SAMPLE_RATE, SAMPLES_PER_FRAME
from app.engine.s3gen.noise import NoiseKey, noise_key, normals, uniforms

PITCH_CONTEXT = 5  # frames on either side that the pitch predictor sees
NUM_MELS = 80


@dataclass(frozen=True, slots=True)
class HiftState:
    """One utterance between two windows. `mel` and `source` end where their counts say."""

    noise: NoiseKey
    initial_phase: Tensor  # (harmonics, 1, 1) float64, radians
    phase: Tensor  # (harmonics,) float64, cycles at the end of `source`
    mel: Tensor  # (80, frames kept)
    source: Tensor  # (samples kept,), final
    num_frames: int = 0  # of mel
    num_source_frames: int = 0
    num_vocoded: int = 0  # frames whose sound has been emitted


@dataclass(frozen=True, slots=True)
class HiftWindow:
    """What to decode, and which of its samples to keep."""

    mel: Tensor  # (80, frames)
    source: Tensor  # (samples,)
    keep: slice


class Hift:
    """`halo` frames past each inner border."""

    def __init__(self, mel2wav: HiFTGenerator, halo: int) -> None:
        fold_weight_norm(mel2wav)
        self._device = mel2wav.conv_pre.weight.device
        mel2wav.stft_window = mel2wav.stft_window.to(self._device)  # upstream's is no buffer
        self._mel2wav = mel2wav
        self._halo = halo
        self._sine = mel2wav.m_source.l_sin_gen
        harmonics = torch.arange(1, self._sine.harmonic_num + 2, dtype=torch.float64)
        self._harmonics = harmonics.to(self._device)

    def start(self, *owner: str | int) -> HiftState:
        """The state before the first window; `owner` is what the noise belongs to."""
        num_overtones = self._sine.harmonic_num  # the fundamental starts at zero
        turns = torch.from_numpy(uniforms(noise_key("phase", *owner), num_overtones)).double()
        initial = torch.cat([turns.new_zeros(1), (2 * turns - 1) * torch.pi])
        return HiftState(
            noise=noise_key("source", *owner),
            initial_phase=initial.to(self._device)[:, None, None],
            phase=torch.zeros_like(self._harmonics),
            mel=torch.zeros(NUM_MELS, 0, device=self._device),
            source=torch.zeros(0, device=self._device),
        )

    def window(
        self, state: HiftState, mel: Tensor, is_last: bool
    ) -> tuple[HiftState, HiftWindow | None]:
        """Append mel (80, frames); the window that can be decoded now, if any."""
        num_frames = state.num_frames + mel.shape[1]
        mel = torch.cat([state.mel, mel], 1)
        source = self._extend_source(state, mel, num_frames, is_last)
        emit = num_frames if is_last else max(state.num_vocoded, num_frames - self._halo)
        window = None
        if emit > state.num_vocoded:
            start = max(0, state.num_vocoded - self._halo)
            whole = torch.cat([source.final, source.provisional])
            keep = slice(
                (state.num_vocoded - start) * SAMPLES_PER_FRAME, (emit - start) * SAMPLES_PER_FRAME
            )
            window = HiftWindow(
                _last(mel, num_frames - start),
                _last(whole, (num_frames - start) * SAMPLES_PER_FRAME),
                keep,
            )
        kept = max(0, emit - self._halo)
        mel_kept = max(0, min(kept, source.num_final - PITCH_CONTEXT))
        after = replace(
            state,
            phase=source.phase,
            mel=_last(mel, num_frames - mel_kept),
            source=_last(source.final, (source.num_final - kept) * SAMPLES_PER_FRAME),
            num_frames=num_frames,
            num_source_frames=source.num_final,
            num_vocoded=emit,
        )
        return after, window

    def decode(self, windows: Sequence[HiftWindow]) -> list[Tensor]:
        """The kept samples of each window. Windows of one length share a call; unequal ones do
        not, because the filter has no mask."""
        by_length: dict[int, list[int]] = {}
        for index, window in enumerate(windows):
            by_length.setdefault(window.mel.shape[1], []).append(index)
        waves: dict[int, Tensor] = {}
        for indices in by_length.values():
            mel = torch.stack([windows[index].mel for index in indices])
            source = torch.stack([windows[index].source for index in indices])[:, None]
            decoded = self._mel2wav.decode(x=mel, s=source)
            waves.update(zip(indices, decoded, strict=True))
        return [waves[index][window.keep] for index, window in enumerate(windows)]

    def source(self, pitch: Tensor, phase: Tensor, initial_phase: Tensor, noise: Tensor) -> Tensor:
        """The excitation of frames of constant pitch.

        pitch (frames,) Hz; phase (harmonics,) float64 cycles before the first sample; noise
        (samples, harmonics) -> (samples,). Source: upstream's SineGen and SourceModuleHnNSF.
        """
        per_sample = pitch.double() * self._harmonics[:, None] / SAMPLE_RATE
        before = phase[:, None] + (per_sample.cumsum(1) - per_sample) * SAMPLES_PER_FRAME
        sample = torch.arange(1, SAMPLES_PER_FRAME + 1, device=pitch.device, dtype=torch.float64)
        cycles = before[:, :, None] + per_sample[:, :, None] * sample
        wave = torch.sin(2 * torch.pi * (cycles % 1) + initial_phase).float().flatten(1)
        voiced = (pitch > self._sine.voiced_threshold).float().repeat_interleave(SAMPLES_PER_FRAME)
        noise_amp = voiced * self._sine.noise_std + (1 - voiced) * self._sine.sine_amp / 3
        excitation = self._sine.sine_amp * wave * voiced + noise_amp * noise.T
        merged: Tensor = self._mel2wav.m_source.l_linear(excitation.T)
        return torch.tanh(merged[:, 0])

    def _extend_source(
        self, state: HiftState, mel: Tensor, num_frames: int, is_last: bool
    ) -> "_Source":
        known = state.num_source_frames
        context = max(0, known - PITCH_CONTEXT)
        seen = _last(mel, num_frames - context)
        pitch = self._mel2wav.f0_predictor(seen[None])[0, known - context :]
        num_final = num_frames if is_last else max(known, num_frames - PITCH_CONTEXT)
        first, count = known * SAMPLES_PER_FRAME, (num_frames - known) * SAMPLES_PER_FRAME
        noise = torch.from_numpy(normals(state.noise, first, count, len(self._harmonics)))
        made = self.source(pitch, state.phase, state.initial_phase, noise.to(self._device))
        border = (num_final - known) * SAMPLES_PER_FRAME
        turns = pitch[: num_final - known].double().sum() * SAMPLES_PER_FRAME / SAMPLE_RATE
        return _Source(
            final=torch.cat([state.source, made[:border]]),
            provisional=made[border:],
            phase=(state.phase + turns * self._harmonics) % 1,
            num_final=num_final,
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """Final as far as the pitch is, provisional to the end of the mel."""

    final: Tensor
    provisional: Tensor
    phase: Tensor  # at the end of `final`
    num_final: int  # frames


def _last(tail: Tensor, count: int) -> Tensor:
    return tail[..., tail.shape[-1] - count :]


def fold_weight_norm(module: torch.nn.Module) -> None:
    """Bake every weight norm into its weight (bit-exact); upstream recomputes them each call."""
    for part in list(module.modules()):
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight")
