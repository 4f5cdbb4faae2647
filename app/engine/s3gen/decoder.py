"""Cells to sound: flow, filter, fades and watermark, for several segments in one call.

A state goes in and the next one comes out; the decoder itself is fixed once it is built. Knows
nothing about sessions, scheduling or time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.config import VocoderSettings
from app.core import FRAMES_PER_TOKEN, NUM_SPEECH_IDS, SAMPLES_PER_TOKEN
from app.engine.checkpoint.build import Vocoder, trim_fade
from app.engine.s3gen.flow import Flow, FlowCell
from app.engine.s3gen.grid import Cell, Grid
from app.engine.s3gen.hift import NUM_MELS, Hift, HiftState
from app.engine.s3gen.noise import NoiseKey, noise_key, normals
from app.engine.voices import S3GenConditionals
from app.engine.watermark import Watermark, WatermarkState
from app.errors import ConfigError

_EDGE = SAMPLES_PER_TOKEN // 8  # 5 ms: how a segment meets its neighbour without a step


@dataclass(frozen=True, slots=True)
class Prompt:
    """The part of a voice's reference that a policy's cells see."""

    tokens: tuple[int, ...]
    mel: Tensor  # (2 tokens, 80)
    noise: Tensor  # (80, 2 tokens), by the voice's content
    speaker: Tensor  # (80,), projected


@dataclass(frozen=True, slots=True)
class VocoderState:
    """What one segment carries from cell to cell, as a value: made, passed on, dropped."""

    prompt: Prompt
    noise: NoiseKey  # of the generated frames, by seed and segment
    fade: Tensor  # gain of the first samples
    hift: HiftState
    watermark: WatermarkState
    num_samples: int = 0  # left the filter


@dataclass(frozen=True, slots=True)
class CellJob:
    state: VocoderState
    cell: Cell
    tokens: Sequence[int]  # of the segment so far, at least [0, cell.visible)


class Decoder:
    """Takes the modules over: weight norm is folded, nothing is written to them afterwards."""

    def __init__(
        self, vocoder: Vocoder, grid: Grid, settings: VocoderSettings, num_steps: int
    ) -> None:
        if settings.dtype not in ("auto", "float32"):
            raise ConfigError(f"vocoder.dtype: {settings.dtype} is not offered, only float32")
        self.grid = grid
        self._device = vocoder.flow.encoder_proj.weight.device
        if self._device.type == "cuda":  # 2.4 % of peak with TF32, 0.02 % without
            torch.backends.cudnn.allow_tf32 = False
        self._flow = Flow(vocoder.flow, settings.euler_steps or num_steps)
        self._hift = Hift(vocoder.mel2wav, settings.halo_frames)
        self._watermark = Watermark(self._device)
        self._request_fade = trim_fade().to(self._device)
        ramp = (1 - torch.cos(torch.linspace(0, torch.pi, _EDGE, device=self._device))) / 2
        self._edge = ramp

    @torch.inference_mode()
    def start(
        self, conditionals: S3GenConditionals, seed: int, segment: int, fade_in: bool
    ) -> VocoderState:
        """Raises ValueError on conditionals that the model cannot take."""
        return VocoderState(
            prompt=self._prompt(conditionals),
            noise=noise_key("flow", seed, segment),
            fade=self._request_fade if fade_in else self._edge,
            hift=self._hift.start(seed, segment),
            watermark=self._watermark.start(),
        )

    @torch.inference_mode()
    def run(self, jobs: Sequence[CellJob]) -> list[tuple[VocoderState, NDArray[np.float32]]]:
        """The next state and the sound that became final, per job; jobs of distinct segments."""
        mels = self._flow.mels([self._flow_cell(job) for job in jobs])
        advanced = [
            self._hift.window(job.state.hift, mel, job.cell.is_last)
            for job, mel in zip(jobs, mels, strict=True)
        ]
        waves = iter(self._hift.decode([window for _, window in advanced if window is not None]))
        done = []
        for job, (hift, window) in zip(jobs, advanced, strict=True):
            wave = torch.zeros(0, device=self._device) if window is None else next(waves)
            done.append(self._finish(job, hift, wave))
        return done

    def _finish(
        self, job: CellJob, hift: HiftState, wave: Tensor
    ) -> tuple[VocoderState, NDArray[np.float32]]:
        start = job.state.num_samples
        fade = job.state.fade[start : start + len(wave)]
        wave[: len(fade)] *= fade
        if job.cell.is_last:
            wave[-_EDGE:] *= self._edge.flip(0)
        watermark, marked = self._watermark.mark(job.state.watermark, wave, job.cell.is_last)
        state = replace(job.state, hift=hift, watermark=watermark, num_samples=start + len(wave))
        return state, marked.cpu().numpy()

    def _prompt(self, voice: S3GenConditionals) -> Prompt:
        tokens = tuple(voice.prompt_tokens.tolist())
        mel, speaker = voice.prompt_mel, voice.speaker_emb
        if mel.shape != (FRAMES_PER_TOKEN * len(tokens), NUM_MELS):
            raise ValueError(f"prompt mel {tuple(mel.shape)} for {len(tokens)} prompt tokens")
        if any(not 0 <= token < NUM_SPEECH_IDS for token in tokens):
            raise ValueError(f"prompt tokens must be in 0..{NUM_SPEECH_IDS - 1}")
        content = (voice.prompt_tokens, mel, speaker)
        key = noise_key("prompt", *(part.cpu().contiguous().numpy().tobytes() for part in content))
        start = self.grid.prompt_start(len(tokens))
        first = FRAMES_PER_TOKEN * start
        return Prompt(
            tokens[start:],
            mel[first:].to(self._device),
            self._normals(key, first, len(mel) - first),
            self._flow.project_speaker(speaker),
        )

    def _flow_cell(self, job: CellJob) -> FlowCell:
        cell, prompt = job.cell, job.state.prompt
        noise = self._normals(
            job.state.noise,
            FRAMES_PER_TOKEN * cell.context,
            FRAMES_PER_TOKEN * (cell.end - cell.context),
        )
        return FlowCell(
            tokens=prompt.tokens + tuple(job.tokens[cell.context : cell.visible]),
            prompt_mel=prompt.mel,
            speaker=prompt.speaker,
            noise=torch.cat([prompt.noise, noise], 1),
            num_ahead_frames=cell.num_ahead_frames,
            num_new_frames=cell.num_new_frames,
        )

    def _normals(self, key: NoiseKey, start: int, count: int) -> Tensor:
        """(80, count) by absolute frame."""
        return torch.from_numpy(normals(key, start, count, NUM_MELS).T).to(self._device)
