"""The context of a cell by policy, and the mel that the cell becomes.

    full      the whole segment so far, computed in every call (flow.py)
    window    the last tokens of it, computed in every call (flow.py)
    chunked   the last tokens of it, cached from earlier calls (chunked.py)

Knows nothing about HiFT, watermarks or scheduling.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import psutil
import torch
from cachetools import LRUCache
from torch import Tensor

from app.config import VocoderSettings
from app.core import (
    FRAMES_PER_TOKEN,
    LOOK_AHEAD_TOKENS,
    NUM_MELS,
    NUM_SPEECH_IDS,
    TOKENS_PER_S,
)
from app.engine.conditionals import S3GenConditionals
from app.engine.device.cuda_graphs import CudaCapture
from app.engine.s3gen.call_stage import OnStage
from app.engine.s3gen.chunked import ChunkCell, ChunkedFlow, FlowState
from app.engine.s3gen.flow import Flow, FlowCell, FlowNet
from app.engine.s3gen.grid import Cell, Grid
from app.engine.s3gen.noise import NoiseKey, noise_key, normals
from app.errors import ConfigError

_ROWS_ON_CUDA = 8  # of one call


@dataclass(frozen=True, slots=True)
class Prompt:
    """The part of a voice's reference that cells see."""

    tokens: tuple[int, ...]
    mel: Tensor  # (2 tokens, 80)
    noise: Tensor  # (80, 2 tokens), by the voice's content
    speaker: Tensor  # (80,), projected
    state: FlowState | None = None  # chunked: what this prompt left


@dataclass(frozen=True, slots=True)
class MelState:
    """What one segment carries from cell to cell, up to its mel."""

    prompt: Prompt
    noise: NoiseKey  # of the generated frames, by seed and segment
    flow: FlowState | None = None  # chunked: what the cells so far left


@dataclass(frozen=True, slots=True)
class MelJob:
    state: MelState
    cell: Cell
    tokens: Sequence[int]  # of the segment so far, at least [0, cell.visible)


class Context(Protocol):
    def start(self, voice: S3GenConditionals, seed: int, segment: int) -> MelState:
        """Raises ValueError on conditionals that the model cannot take."""
        ...

    def mels(self, jobs: Sequence[MelJob], on_stage: OnStage) -> list[tuple[MelState, Tensor]]:
        """Per job the next state and the new frames, (80, frames)."""
        ...


def open_context(net: FlowNet, grid: Grid, settings: VocoderSettings) -> Context:
    """Raises ConfigError where the settings need more memory than there is."""
    prompts = Prompts(net, grid)
    if settings.policy == "chunked":
        return ChunkedContext(net, prompts, settings)
    if net.device.type != "cuda":
        return WholeContext(Flow(net), prompts, net.device)
    flow = Flow(net, CudaCapture(net.device), max_rows(settings, net.device))
    if grid.max_tokens is not None:  # without a bound, each cell may be longer than the last
        flow.warm_up(FRAMES_PER_TOKEN * grid.max_tokens)
    return WholeContext(flow, prompts, net.device)


def max_rows(settings: VocoderSettings, device: torch.device) -> int:
    """Most cells in one call."""
    return settings.max_rows or (_ROWS_ON_CUDA if device.type == "cuda" else 1)


def max_call_tokens(settings: VocoderSettings, device: torch.device) -> float:
    """Most tokens that the cells of one call voice together. On a CPU the time of a call grows with
    them, and every newcomer waits for its end. So a call has two of the longest cells, or more
    short ones, which together cost little more than one."""
    return math.inf if device.type == "cuda" else 2 * Grid.from_settings(settings).longest


class Prompts:
    """Cuts voices to the part that cells see."""

    def __init__(self, net: FlowNet, grid: Grid) -> None:
        self._net = net
        self._grid = grid

    def key(self, voice: S3GenConditionals) -> NoiseKey:
        """By content: a voice's noise depends neither on its name nor on the session."""
        content = (voice.prompt_tokens, voice.prompt_mel, voice.speaker_emb)
        parts = (part.cpu().contiguous().numpy().tobytes() for part in content)
        return noise_key("prompt", *parts)

    def prompt(self, voice: S3GenConditionals, key: NoiseKey) -> Prompt:
        """Raises ValueError on a voice that the model cannot take."""
        tokens, mel = tuple(voice.prompt_tokens.tolist()), voice.prompt_mel
        if mel.shape != (FRAMES_PER_TOKEN * len(tokens), NUM_MELS):
            raise ValueError(f"prompt mel {tuple(mel.shape)} for {len(tokens)} prompt tokens")
        if any(not 0 <= token < NUM_SPEECH_IDS for token in tokens):
            raise ValueError(f"prompt tokens must be in 0..{NUM_SPEECH_IDS - 1}")
        start = self._grid.prompt_start(len(tokens))
        first = FRAMES_PER_TOKEN * start
        return Prompt(
            tokens[start:],
            mel[first:].to(self._net.device),
            frame_noise(key, first, len(mel) - first, self._net.device),
            self._net.project_speaker(voice.speaker_emb),
        )


class WholeContext:
    def __init__(self, flow: Flow, prompts: Prompts, device: torch.device) -> None:
        self._flow = flow
        self._device = device
        self._prompts = prompts

    def start(self, voice: S3GenConditionals, seed: int, segment: int) -> MelState:
        prompt = self._prompts.prompt(voice, self._prompts.key(voice))
        return MelState(prompt, noise_key("flow", seed, segment))

    def mels(self, jobs: Sequence[MelJob], on_stage: OnStage) -> list[tuple[MelState, Tensor]]:
        mels = self._flow.mels([self._cell(job) for job in jobs], on_stage)
        return [(job.state, mel) for job, mel in zip(jobs, mels, strict=True)]

    def _cell(self, job: MelJob) -> FlowCell:
        cell, prompt = job.cell, job.state.prompt
        first, count = FRAMES_PER_TOKEN * cell.context, FRAMES_PER_TOKEN * (cell.end - cell.context)
        noise = frame_noise(job.state.noise, first, count, self._device)
        return FlowCell(
            tokens=prompt.tokens + tuple(job.tokens[cell.context : cell.visible]),
            prompt_mel=prompt.mel,
            speaker=prompt.speaker,
            noise=torch.cat([prompt.noise, noise], 1),
            num_ahead_frames=cell.num_ahead_frames,
            num_new_frames=cell.num_new_frames,
        )


class ChunkedContext:
    def __init__(self, net: FlowNet, prompts: Prompts, settings: VocoderSettings) -> None:
        self._flow = ChunkedFlow(net, settings.left_tokens)
        _check_memory(self._flow, settings, net.device)
        self._device = net.device
        self._prompts = prompts
        self._kept: LRUCache[NoiseKey, Prompt] = LRUCache(settings.voices_kept)

    def start(self, voice: S3GenConditionals, seed: int, segment: int) -> MelState:
        """A voice's prompt is computed at its first segment and kept for later ones."""
        key = self._prompts.key(voice)
        prompt = self._kept.get(key)
        if prompt is None:
            bare = self._prompts.prompt(voice, key)
            state = self._flow.voice(bare.tokens, bare.mel, bare.speaker, bare.noise)
            prompt = self._kept[key] = replace(bare, state=state)
        return MelState(prompt, noise_key("flow", seed, segment))

    def mels(self, jobs: Sequence[MelJob], on_stage: OnStage) -> list[tuple[MelState, Tensor]]:
        done = self._flow.mels([self._cell(job) for job in jobs], on_stage)
        return [
            (replace(job.state, flow=flow), mel)
            for job, (mel, flow) in zip(jobs, done, strict=True)
        ]

    def _cell(self, job: MelJob) -> ChunkCell:
        """A segment's first cell begins with the prompt's last tokens, whose mel is known."""
        cell, state, prompt = job.cell, job.state, job.state.prompt
        assert prompt.state is not None
        num_known = 0 if state.flow else min(LOOK_AHEAD_TOKENS, len(prompt.tokens))
        known = FRAMES_PER_TOKEN * num_known
        first, count = FRAMES_PER_TOKEN * cell.start, cell.num_new_frames
        noise = frame_noise(state.noise, first, count, self._device)
        own = tuple(job.tokens[cell.start : cell.visible])
        return ChunkCell(
            tokens=prompt.tokens[len(prompt.tokens) - num_known :] + own,
            num_tokens=num_known + cell.num_tokens,
            known_mel=prompt.mel[len(prompt.mel) - known :],
            speaker=prompt.speaker,
            noise=torch.cat([prompt.noise[:, prompt.noise.shape[1] - known :], noise], 1),
            num_new_frames=count,
            voice=prompt.state,
            segment=state.flow,
        )


def _check_memory(flow: ChunkedFlow, settings: VocoderSettings, device: torch.device) -> None:
    """Raises ConfigError. The memory of slots and of kept voices is known, so a lack of it is found
    at the start."""
    voice = flow.voice_bytes(round(settings.prompt_s * TOKENS_PER_S))
    wanted = settings.slots * flow.segment_bytes + settings.voices_kept * voice
    free = free_bytes(device)
    if wanted > free:
        raise ConfigError(
            f"vocoder.slots and vocoder.voices_kept: the chunked policy needs {wanted / 1e9:.1f} GB"
            f" for {settings.slots} slots and {settings.voices_kept} voices; only "
            f"{free / 1e9:.1f} GB are free"
        )


def free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return int(psutil.virtual_memory().available)


def frame_noise(key: NoiseKey, start: int, count: int, device: torch.device) -> Tensor:
    """(80, count) from absolute frame `start` on."""
    return normals([key], [start], count, NUM_MELS, device)[0].T
