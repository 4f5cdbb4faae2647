"""Mel to waveform in windows, several utterances in one call, over upstream's HiFTGenerator.

A window decodes the new frames and a halo on both sides, whose sound is dropped. Only the ends of
the utterance itself are padded with zeros. The source signal (the sines and the noise that excite
the generator) continues from window to window: its phase in float64, its noise by absolute sample,
its initial phases by request. So the windows together sound like one whole decode. Measured on
random weights: the generator reaches 15 frames to either side, the pitch predictor 5 more. A halo
of 15 is exact for a given source. The pitch of the last 5 frames is provisional; a halo of 20 keeps
those frames out. Knows nothing about tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.core import NUM_MELS, SAMPLES_PER_FRAME
from app.engine.s3gen.hift_generator import HiftGenerator, Keep, padded
from app.engine.s3gen.noise import NoiseKey, noise_key, normals, uniforms
from app.engine.s3gen.sine_source import PITCH_CONTEXT, SineSource
from app.engine.upstream.vocoder_modules import HiFTGenerator


@dataclass(frozen=True, slots=True)
class HiftState:
    """One utterance between two windows. `mel` ends at frame `num_frames`, `source` at frame
    `num_source_frames`."""

    noise: NoiseKey
    initial_phase: Tensor  # (harmonics,) float64, radians
    phase: Tensor  # (harmonics,) float64, cycles at the end of `source`
    mel: Tensor  # (80, frames kept)
    source: Tensor  # (samples kept,), final: later frames do not change it
    num_frames: int = 0  # of mel
    num_source_frames: int = 0
    num_vocoded: int = 0  # frames whose sound has been emitted


@dataclass(frozen=True, slots=True)
class HiftInput:
    """The next frames of an utterance."""

    state: HiftState
    mel: Tensor  # (80, frames)
    is_last: bool


@dataclass(frozen=True, slots=True)
class _Window:
    """The frames to decode, and which of them are new."""

    mel: Tensor  # (80, frames)
    source: Tensor  # (samples,)
    keep: Keep


class Hift:
    """`halo`: frames beyond each border inside the utterance."""

    def __init__(self, mel2wav: HiFTGenerator, halo: int) -> None:
        self._generator = HiftGenerator(mel2wav)
        self._sine_source = SineSource(mel2wav)
        self._device = mel2wav.conv_pre.weight.device
        self._halo = halo

    def start(self, *owner: str | int) -> HiftState:
        """The state before the first window. `owner` names the utterance for its noise."""
        num_overtones = len(self._sine_source.harmonics) - 1  # the fundamental starts at zero
        turns = uniforms(noise_key("phase", *owner), num_overtones, self._device).double()
        return HiftState(
            noise=noise_key("source", *owner),
            initial_phase=torch.cat([turns.new_zeros(1), (2 * turns - 1) * torch.pi]),
            phase=torch.zeros_like(self._sine_source.harmonics),
            mel=torch.zeros(NUM_MELS, 0, device=self._device),
            source=torch.zeros(0, device=self._device),
        )

    def run(self, inputs: Sequence[HiftInput]) -> list[tuple[HiftState, Tensor]]:
        """Per input the next state, and the samples that became final, possibly none."""
        mels = [torch.cat([entry.state.mel, entry.mel], 1) for entry in inputs]
        sources = self._extend_sources(inputs, mels)
        advanced = [
            self._advance(entry, mel, source)
            for entry, mel, source in zip(inputs, mels, sources, strict=True)
        ]
        waves = iter(self._decode([window for _, window in advanced if window is not None]))
        silence = torch.zeros(0, device=self._device)
        return [(state, silence if window is None else next(waves)) for state, window in advanced]

    def _decode(self, windows: Sequence[_Window]) -> list[Tensor]:
        """The new sound of each window, in one call."""
        if not windows:
            return []
        lengths = [window.mel.shape[1] for window in windows]
        return self._generator.decode(
            padded([window.mel for window in windows], max(lengths)),
            padded([window.source for window in windows], max(lengths) * SAMPLES_PER_FRAME),
            lengths,
            [window.keep for window in windows],
        )

    def _advance(
        self, entry: HiftInput, mel: Tensor, source: "_Source"
    ) -> tuple[HiftState, _Window | None]:
        state = entry.state
        num_frames = state.num_frames + entry.mel.shape[1]
        ready = num_frames if entry.is_last else num_frames - self._halo
        emit = max(state.num_vocoded, ready)
        window = None
        if emit > state.num_vocoded:
            start = max(0, state.num_vocoded - self._halo)
            whole = torch.cat([source.final, source.provisional])
            keep = Keep(state.num_vocoded - start, emit - start)
            num_seen = num_frames - start
            window = _Window(_last(mel, num_seen), _last(whole, num_seen * SAMPLES_PER_FRAME), keep)
        kept = max(0, emit - self._halo)
        mel_kept = max(0, min(kept, source.num_final - PITCH_CONTEXT))
        after = replace(
            state,
            phase=source.phase,
            mel=_last(mel, num_frames - mel_kept).clone(),
            source=_last(source.final, (source.num_final - kept) * SAMPLES_PER_FRAME).clone(),
            num_frames=num_frames,
            num_source_frames=source.num_final,
            num_vocoded=emit,
        )
        return after, window

    def _extend_sources(
        self, inputs: Sequence[HiftInput], mels: Sequence[Tensor]
    ) -> list["_Source"]:
        """Per input its source signal, continued to the end of its mel."""
        states = [entry.state for entry in inputs]
        known = [state.num_source_frames for state in states]
        ends = [entry.state.num_frames + entry.mel.shape[1] for entry in inputs]
        contexts = [max(0, count - PITCH_CONTEXT) for count in known]
        seen = [_last(mel, end - c) for mel, end, c in zip(mels, ends, contexts, strict=True)]
        lengths = [part.shape[1] for part in seen]
        predicted = self._sine_source.pitch(padded(seen, max(lengths)), lengths)
        counts = [end - count for end, count in zip(ends, known, strict=True)]
        pitches = [
            row[length - count : length]
            for row, length, count in zip(predicted, lengths, counts, strict=True)
        ]
        made = self._sine_source.excitation(
            padded(pitches, max(counts)),
            torch.stack([state.phase for state in states]),
            torch.stack([state.initial_phase for state in states]),
            normals(
                [state.noise for state in states],
                [count * SAMPLES_PER_FRAME for count in known],
                max(counts) * SAMPLES_PER_FRAME,
                len(self._sine_source.harmonics),
                self._device,
            ),
        )
        return [self._continue(*row) for row in zip(inputs, pitches, made, strict=True)]

    def _continue(self, entry: HiftInput, pitch: Tensor, made: Tensor) -> "_Source":
        known = entry.state.num_source_frames
        end = known + len(pitch)
        num_final = end if entry.is_last else max(known, end - PITCH_CONTEXT)
        border = (num_final - known) * SAMPLES_PER_FRAME
        turns = self._sine_source.turns(pitch[: num_final - known])
        return _Source(
            final=torch.cat([entry.state.source, made[:border]]),
            provisional=made[border : len(pitch) * SAMPLES_PER_FRAME],
            phase=(entry.state.phase + turns) % 1,
            num_final=num_final,
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """The source signal of one utterance: final where the pitch is final, then provisional up to
    the end of the mel."""

    final: Tensor
    provisional: Tensor
    phase: Tensor  # (harmonics,) float64, cycles at the end of `final`
    num_final: int  # frames of the utterance


def _last(x: Tensor, count: int) -> Tensor:
    return x[..., x.shape[-1] - count :]
