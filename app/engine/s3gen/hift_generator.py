"""Mel and source to waveform: our own forward over upstream's HiFTGenerator, rows of any lengths.

The generator is not causal and its convolutions have biases. So the padding behind a short row of a
batch is set to zero after every layer, as if the utterance ended there. Rows of one length are not
masked. Between stages a row is trimmed to the frames that the later stages can see: most of a halo
serves the first stage, which is a third of the cost. The transforms of 16 points at both ends are
convolutions, which respect a row's own end too. Knows nothing about windows or states.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from app.core import SAMPLES_PER_FRAME
from app.engine.device.transfer import upload
from app.engine.upstream.vocoder_modules import HiFTGenerator, ResBlock, Snake

_LOUDEST = 1e2  # magnitude; source: HiFTGenerator._istft
_NO_DIVISION_BY_ZERO = 1e-9  # source: Snake
_FEW_CHANNELS = 64


class Keep(NamedTuple):
    """The frames of a row whose sound is kept. The others are its halo."""

    start: int
    end: int


class HiftGenerator:
    def __init__(self, mel2wav: HiFTGenerator) -> None:
        """Takes the module over and folds its weight norm."""
        fold_weight_norm(mel2wav)
        self._net = mel2wav
        self._num_points: int = mel2wav.istft_params["n_fft"]
        self._hop: int = mel2wav.istft_params["hop_len"]
        device = mel2wav.conv_pre.weight.device
        window = mel2wav.stft_window.to(device)
        self._analysis, self._synthesis = (
            basis.to(device) for basis in _transforms(self._num_points, window.double().cpu())
        )
        self._squares = (window * window)[None, None]
        self._rates = [up.stride[0] for up in mel2wav.ups]
        self._margins = stage_margins(mel2wav)

    def decode(
        self, mel: Tensor, source: Tensor, lengths: Sequence[int], keeps: Sequence[Keep]
    ) -> list[Tensor]:
        """mel: (rows, 80, frames); source: (rows, frames * 480); lengths: the frames of each row.
        Returns (kept frames * 480,) per row."""
        net = self._net
        rows = Rows(lengths, keeps)
        spectrum = self._analyse(source, rows)
        x = rows.cut(net.conv_pre(mel), 1)
        rate = 1
        for index, (up, times) in enumerate(zip(net.ups, self._rates, strict=True)):
            trimmed = rows.trimmed(self._margins[index])
            spectrum = trimmed.take(spectrum, rows, SAMPLES_PER_FRAME // self._hop, 1)
            x, rows = trimmed.take(x, rows, rate), trimmed
            rate *= times
            x = self._stage(index, up(F.leaky_relu(x, net.lrelu_slope)), spectrum, rows, rate)
        x = net.conv_post(F.leaky_relu(x))
        sound = self._synthesise(x, rows, rate).clamp(-net.audio_limit, net.audio_limit)
        return [
            row[keep.start * SAMPLES_PER_FRAME : keep.end * SAMPLES_PER_FRAME]
            for row, keep in zip(sound, rows.keeps, strict=True)
        ]

    def _stage(self, index: int, x: Tensor, spectrum: Tensor, rows: "Rows", rate: int) -> Tensor:
        net = self._net
        extra = int(index == len(net.ups) - 1)  # the last stage has one position more
        x = rows.cut(net.reflection_pad(x) if extra else x, rate, extra)
        source = rows.cut(net.source_downs[index](spectrum), rate, extra)
        x = x + _residual(net.source_resblocks[index], source, rows, rate, extra)
        blocks = net.resblocks[index * net.num_kernels : (index + 1) * net.num_kernels]
        parts = [_residual(block, x, rows, rate, extra) for block in blocks]
        return sum(parts[1:], start=parts[0]) / len(parts)

    def _analyse(self, source: Tensor, rows: "Rows") -> Tensor:
        """(rows, 18, frames * 120 + 1): real and imaginary parts, each row reflected at its end."""
        reach = self._num_points // 2
        padded = F.pad(source[:, None], (reach, reach), mode="reflect")
        if rows.are_ragged:
            for row, length in zip(padded, rows.lengths, strict=True):
                end = reach + length * SAMPLES_PER_FRAME
                row[:, end : end + reach] = row[:, end - reach - 1 : end - 1].flip(1)
        spectrum = F.conv1d(padded, self._analysis, stride=self._hop)
        return rows.cut(spectrum, SAMPLES_PER_FRAME // self._hop, 1)

    def _synthesise(self, x: Tensor, rows: "Rows", rate: int) -> Tensor:
        num_bins = self._num_points // 2 + 1
        magnitude = torch.exp(x[:, :num_bins]).clamp(max=_LOUDEST)
        phase = torch.sin(x[:, num_bins:])
        spectrum = torch.cat([magnitude * torch.cos(phase), magnitude * torch.sin(phase)], 1)
        added = F.conv_transpose1d(rows.cut(spectrum, rate, 1), self._synthesis, stride=self._hop)
        ones = rows.cut(spectrum.new_ones(len(x), 1, x.shape[2]), rate, 1)
        overlap = F.conv_transpose1d(ones, self._squares, stride=self._hop)
        reach = self._num_points // 2
        return added[:, 0, reach:-reach] / overlap[:, 0, reach:-reach]


class Rows:
    """The length of each row and the part that is kept, in frames."""

    def __init__(self, lengths: Sequence[int], keeps: Sequence[Keep]) -> None:
        self.lengths = lengths
        self.keeps = keeps
        self.are_ragged = len(set(lengths)) > 1
        self._masks: dict[tuple[int, int], Tensor] = {}

    def cut(self, x: Tensor, rate: int, extra: int = 0) -> Tensor:
        """Set x to zero behind each row's end. x: (rows, channels, N), `rate` positions per frame
        and `extra` more."""
        if not self.are_ragged:
            return x
        key = rate, extra
        if key not in self._masks:
            index = torch.arange(x.shape[2], device=x.device)
            ends = upload(self.lengths, torch.int64, x.device) * rate + extra
            self._masks[key] = (index < ends[:, None])[:, None].to(x.dtype)
        return x * self._masks[key]

    def trimmed(self, margin: int) -> "Rows":
        """The kept frames of each row and up to `margin` frames on both sides."""
        pairs = list(zip(self.lengths, self.keeps, strict=True))
        starts = [max(0, keep.start - margin) for _, keep in pairs]
        ends = [min(length, keep.end + margin) for length, keep in pairs]
        keeps = [
            Keep(keep.start - start, keep.end - start)
            for keep, start in zip(self.keeps, starts, strict=True)
        ]
        lengths = [end - start for start, end in zip(starts, ends, strict=True)]
        return Rows(lengths, keeps)

    def take(self, x: Tensor, before: "Rows", rate: int, extra: int = 0) -> Tensor:
        """These rows of x, which has the longer rows `before`."""
        if before.lengths == self.lengths:
            return x
        parts = []
        for row, was, keep, length in zip(x, before.keeps, self.keeps, self.lengths, strict=True):
            start = (was.start - keep.start) * rate
            parts.append(row[:, start : start + length * rate + extra])
        return padded(parts, max(part.shape[1] for part in parts))


def padded(parts: Sequence[Tensor], length: int) -> Tensor:
    """Stacked, each padded with zeros up to `length`."""
    if all(part.shape[-1] == length for part in parts):
        return torch.stack(list(parts))
    whole = parts[0].new_zeros(len(parts), *parts[0].shape[:-1], length)
    for row, part in zip(whole, parts, strict=True):
        row[..., : part.shape[-1]] = part
    return whole


def stage_margins(net: HiFTGenerator) -> list[int]:
    """Per stage, how many frames beside the kept ones the stage and its successors see."""
    margins: list[int] = []
    rates = [math.prod(up.stride[0] for up in net.ups[: n + 1]) for n in range(len(net.ups))]
    # After the last stage: a convolution, the overlap of the inverse transform, a shift by one.
    reach = (net.conv_post.kernel_size[0] - 1) // 2 + net.istft_params["n_fft"] // 4 + 1
    for index in reversed(range(len(net.ups))):
        blocks = net.resblocks[index * net.num_kernels : (index + 1) * net.num_kernels]
        reach += max(_reach(block) for block in blocks)
        down = net.source_downs[index]
        by_source = reach + _reach(net.source_resblocks[index])
        source_frames = (by_source + 1) / rates[index] + down.kernel_size[0] / rates[-1]
        up = net.ups[index]
        reach = -(-(reach + up.kernel_size[0]) // up.stride[0])  # at the rate of the stage before
        frames = reach * up.stride[0] / rates[index]
        margins.insert(0, math.ceil(max(source_frames, frames)))
    return margins


def _reach(block: ResBlock) -> int:
    """Positions to either side that the block sees."""
    layers = zip(block.convs1, block.convs2, strict=True)
    return sum(conv.padding[0] for pair in layers for conv in pair)


def _residual(block: ResBlock, x: Tensor, rows: Rows, rate: int, extra: int) -> Tensor:
    x = _laid_out(x)
    layers = zip(block.activations1, block.convs1, block.activations2, block.convs2, strict=True)
    for first_activation, first, second_activation, second in layers:
        hidden = rows.cut(_convolved(first, _snake(first_activation, x)), rate, extra)
        x = x + rows.cut(_convolved(second, _snake(second_activation, hidden)), rate, extra)
    return x


def _laid_out(x: Tensor) -> Tensor:
    """(rows, channels, N) in the memory layout in which convolutions are fastest: channels last
    where there are few channels, on a CPU. Milliseconds in one layer of 64 and of 128 channels,
    kernel 11: 7.1 and 7.0 contiguous, 4.9 and 7.2 channels last (two cores, AMD EPYC, torch 2.11,
    2026-11)."""
    if x.is_cuda or x.shape[1] > _FEW_CHANNELS:
        return x
    return x.mT.contiguous().mT


def _convolved(conv: nn.Conv1d, x: Tensor) -> Tensor:
    """The result of the layer itself, in the layout of x."""
    if x.is_contiguous():
        out: Tensor = conv(x)
        return out
    return F.conv2d(  # of height 1: torch has channels last in two dimensions alone
        x[:, :, None],
        conv.weight[:, :, None],
        conv.bias,
        padding=(0, *conv.padding),
        dilation=(1, *conv.dilation),
    )[:, :, 0]


def _snake(snake: Snake, x: Tensor) -> Tensor:
    """x + sin(alpha x)^2 / alpha, in four passes over memory; upstream takes six."""
    alpha = snake.alpha[:, None]
    wave = torch.sin_(x * alpha)
    return torch.addcmul(x, wave * (1.0 / (alpha + _NO_DIVISION_BY_ZERO)), wave)


def _transforms(num_points: int, window: Tensor) -> tuple[Tensor, Tensor]:
    """Kernels (2 bins, 1, points) of the windowed Fourier transform and of its inverse."""
    bins, points = torch.arange(num_points // 2 + 1), torch.arange(num_points)
    angle = 2 * math.pi * torch.outer(bins, points).double() / num_points
    weight = torch.full((len(bins), 1), 2.0, dtype=torch.float64)
    weight[0] = weight[-1] = 1.0  # every other bin stands for its mirror image too
    forward = torch.cat([torch.cos(angle), -torch.sin(angle)]) * window
    inverse = torch.cat([torch.cos(angle) * weight, -torch.sin(angle) * weight])
    inverse = inverse * window / num_points
    return forward[:, None].float(), inverse[:, None].float()


def fold_weight_norm(module: torch.nn.Module) -> None:
    """Bake every weight norm into its weight, bit-exact. Upstream computes it in each call."""
    for part in list(module.modules()):
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight")
