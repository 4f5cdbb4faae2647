"""Cells to sound: flow, HiFT, fades and watermark, for several segments in one call.

A state goes in and the next one comes out. The decoder itself never changes once it is built. Knows
nothing about sessions, scheduling or time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.config import VocoderSettings
from app.core import FRAMES_PER_TOKEN, SAMPLES_PER_TOKEN
from app.engine.checkpoint.build_vocoder import trim_fade
from app.engine.checkpoint.components import Vocoder
from app.engine.conditionals import S3GenConditionals
from app.engine.s3gen.call_stage import CallStage, OnStage, ignore_stage
from app.engine.s3gen.context import MelJob, MelState, open_context
from app.engine.s3gen.flow import MAX_FRAMES, FlowNet
from app.engine.s3gen.grid import Cell, Grid
from app.engine.s3gen.hift import Hift, HiftInput, HiftState
from app.engine.watermark import Watermark, WatermarkState

_EDGE = SAMPLES_PER_TOKEN // 8  # 5 ms over which a segment fades in and out: no step between two


@dataclass(frozen=True, slots=True)
class VocoderState:
    """What one segment carries from cell to cell, as a value: created, passed on, dropped."""

    mel: MelState
    fade: Tensor  # gain of the first samples
    hift: HiftState
    watermark: WatermarkState
    num_samples: int = 0  # that HiFT has made


@dataclass(frozen=True, slots=True)
class CellJob:
    state: VocoderState
    cell: Cell
    tokens: Sequence[int]  # of the segment so far, at least [0, cell.visible)


class Marker(Protocol):
    """app.engine.watermark.Watermark, or a benchmark's stand-in that adds no watermark."""

    def start(self) -> WatermarkState: ...

    def mark(
        self, state: WatermarkState, samples: Tensor, is_last: bool
    ) -> tuple[WatermarkState, Tensor]: ...


class Decoder:
    """Takes the modules over: weight norm is folded at once, nothing is written to them later."""

    def __init__(
        self,
        vocoder: Vocoder,
        settings: VocoderSettings,
        num_steps: int,
        watermark: Marker | None = None,
        *,
        mutes_last_token: bool = False,
    ) -> None:
        """`num_steps`: the model's own Euler steps. `watermark`: PerTh's by default.
        `mutes_last_token`: the last token of a segment is context and has no sound of its own.
        Raises ConfigError where the settings need more memory than there is."""
        self.grid = Grid.from_settings(settings)
        in_int8 = settings.dtype == "int8"
        net = FlowNet(vocoder.flow, settings.euler_steps or num_steps, in_int8=in_int8)
        self.device = net.device
        if self.device.type == "cuda":  # error: 2.4 % of peak with TF32, 0.02 % without
            torch.backends.cudnn.allow_tf32 = False
        self._context = open_context(net, self.grid, settings)
        self._hift = Hift(vocoder.mel2wav, settings.halo_frames)
        self._watermark = Watermark(self.device) if watermark is None else watermark
        self._num_muted = 1 if mutes_last_token else 0
        self._request_fade = trim_fade().to(self.device)
        self._edge = (1 - torch.cos(torch.linspace(0, torch.pi, _EDGE, device=self.device))) / 2

    def max_tokens(self, conditionals: S3GenConditionals) -> float:
        """Of one segment in this voice."""
        if self.grid.max_tokens is not None:  # a cell sees no more of a longer segment
            return math.inf
        return MAX_FRAMES // FRAMES_PER_TOKEN - len(conditionals.prompt_tokens)

    @torch.inference_mode()
    def start(
        self, conditionals: S3GenConditionals, seed: int, segment: int, fade_in: bool
    ) -> VocoderState:
        """Raises ValueError on conditionals that the model cannot take."""
        return VocoderState(
            mel=self._context.start(conditionals, seed, segment),
            fade=self._request_fade if fade_in else self._edge,
            hift=self._hift.start(seed, segment),
            watermark=self._watermark.start(),
        )

    @torch.inference_mode()
    def run(
        self, jobs: Sequence[CellJob], on_stage: OnStage = ignore_stage
    ) -> list[tuple[VocoderState, NDArray[np.float32]]]:
        """Per job the next state and the sound that became final. Each job has its own segment.

        An exception of `on_stage` leaves the call. States are values: a call that did not end has
        changed none, and may be repeated.
        """
        mel_jobs = [MelJob(job.state.mel, job.cell, job.tokens) for job in jobs]
        mels = self._context.mels(mel_jobs, on_stage)
        on_stage(CallStage.HIFT)
        waves = self._hift.run(
            [
                HiftInput(job.state.hift, mel, job.cell.is_last)
                for job, (_, mel) in zip(jobs, mels, strict=True)
            ]
        )
        on_stage(CallStage.WATERMARK)
        return [
            self._finish(job, state, *wave)
            for job, (state, _), wave in zip(jobs, mels, waves, strict=True)
        ]

    def _finish(
        self, job: CellJob, mel: MelState, hift: HiftState, wave: Tensor
    ) -> tuple[VocoderState, NDArray[np.float32]]:
        """Fade and watermark the samples of one job. A segment keeps the sound of one token.
        Source of the cut: generate of upstream's mtl_tts.py at master."""
        start = job.state.num_samples
        if job.cell.is_last:
            num_heard = max(1, job.cell.end - self._num_muted)
            wave = wave[: num_heard * SAMPLES_PER_TOKEN - start]
        fade = job.state.fade[start : start + len(wave)]
        wave[: len(fade)] *= fade
        if job.cell.is_last:
            wave[-_EDGE:] *= self._edge.flip(0)
        watermark, marked = self._watermark.mark(job.state.watermark, wave, job.cell.is_last)
        state = VocoderState(mel, job.state.fade, hift, watermark, start + len(wave))
        return state, marked.cpu().numpy()
