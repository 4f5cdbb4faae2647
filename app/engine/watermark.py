"""PerTh in the stream: every sample that leaves the vocoder carries the watermark.

Upstream resamples a finished utterance to 32 kHz, changes its spectrum below 2 kHz and resamples
back. That change has the same bins at 24 kHz (24 000 / 1 536 = 32 000 / 2 048). So here PerTh's
network gets a 24 kHz spectrum of 1 536 points, scaled to its own, and only the difference is
transformed back and added: nothing above 2 kHz is touched. Each window sees the samples before it.
The last OVERLAP samples of its difference are cross-faded with the next window's, so that borders
carry no step, and the difference is zero at the utterance's ends. Measured 2026-11: the deviation
from upstream's mark of the whole utterance is 62 dB below the mark; 6 ms per second of audio on one
core. Knows nothing about models.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from app.core import SAMPLE_RATE
from app.engine.upstream.lazy_import import without_init
from app.errors import ConfigError

if TYPE_CHECKING:  # at run time `_load` imports it alone
    from perth.perth_net.perth_net_implicit.config import PerthConfig
    from perth.perth_net.perth_net_implicit.model.encoder import Encoder

OVERLAP = 480  # samples (20 ms) that each window holds back for the next: the added latency
_HISTORY = 7200  # samples (300 ms) before a window that its mark also depends on
_EDGE = 120  # samples (5 ms) over which the mark fades in and out at the utterance's ends


@dataclass(frozen=True, slots=True)
class WatermarkState:
    """One utterance between two windows."""

    history: Tensor  # (<= _HISTORY,) unmarked samples, the last OVERLAP of them held back
    fading: Tensor  # (OVERLAP,) the last window's difference on the samples held back

    @classmethod
    def start(cls, device: torch.device) -> Self:
        return cls(torch.zeros(0, device=device), torch.zeros(0, device=device))


class Watermark:
    def __init__(self, device: torch.device) -> None:
        self._encoder, config = _load(device)
        self._num_bins: int = self._encoder.subband
        self._num_points = config.n_fft * SAMPLE_RATE // config.sample_rate
        self._hop = config.hop_size * SAMPLE_RATE // config.sample_rate
        self._scale = config.n_fft / self._num_points
        self._floor = config.stft_magnitude_min
        self._window = torch.hann_window(self._num_points, device=device)
        self._fade_in = torch.linspace(0, 1, OVERLAP + 2, device=device)[1:-1]
        self._edge = torch.linspace(0, 1, _EDGE + 1, device=device)[:-1]

    def start(self) -> WatermarkState:
        return WatermarkState.start(self._window.device)

    @torch.inference_mode()
    def mark(
        self, state: WatermarkState, samples: Tensor, is_last: bool
    ) -> tuple[WatermarkState, Tensor]:
        """Append samples, at least OVERLAP or none. Returns the marked samples that are final.

        After the last call, every sample that came in has come out.
        """
        if samples.shape[0] == 0 and not is_last:
            return state, samples
        held = state.fading.shape[0]
        sound = torch.cat([state.history, samples])
        if sound.shape[0] == 0:
            return state, sound
        border = state.history.shape[0]
        change = self._change(sound)
        if held:
            fade = self._fade_in
            change[border - held : border] *= fade
            change[border - held : border] += state.fading * (1 - fade)
        else:
            change[:_EDGE] *= self._edge[: change.shape[0]]
        if is_last:
            change[-_EDGE:] *= self._edge.flip(0)[-change.shape[0] :]
        end = sound.shape[0] - (0 if is_last else OVERLAP)
        start = border - held
        marked = (sound[start:end] + change[start:end]).clamp(-1, 1)
        return WatermarkState(sound[-_HISTORY:], change[end:]), marked

    def _change(self, sound: Tensor) -> Tensor:
        """The difference, (samples,), that the mark adds to `sound`."""
        missing = max(0, self._num_points - sound.shape[0])  # the transform reflects the edges
        padded = F.pad(sound, (0, missing))
        spectrum = torch.stft(
            padded, self._num_points, self._hop, window=self._window, return_complex=True
        )
        loudness = _normalise(spectrum.abs() * self._scale, self._floor)
        marked, _ = self._encoder(loudness[None])
        decibels = (marked[0] - loudness)[: self._num_bins] * _range(self._floor)
        change = torch.zeros_like(spectrum)
        change[: self._num_bins] = spectrum[: self._num_bins] * (10 ** (decibels / 20) - 1)
        wave = torch.istft(
            change, self._num_points, self._hop, window=self._window, length=padded.shape[0]
        )
        return wave[: sound.shape[0]]


def _normalise(magnitude: Tensor, floor: float) -> Tensor:
    """Decibels, scaled as PerTh's `normalize` does."""
    lowest = 20 * torch.log10(torch.tensor(floor)).item()
    return (20 * torch.log10(magnitude.clamp_min(floor)) - lowest) / _range(floor)


def _range(floor: float) -> float:
    headroom_db = 15.0  # source: perth's utils.normalize
    return headroom_db - 20 * float(torch.log10(torch.tensor(floor)))


def _load(device: torch.device) -> "tuple[Encoder, PerthConfig]":
    """PerTh's network that marks, without the one that detects. Source: PerthNet.from_cm.

    Its package also imports librosa (4 s), torchaudio and pkg_resources, for work that is done
    differently here. Raises ConfigError where PerTh cannot mark: unmarked sound is never served.
    """
    package = importlib.util.find_spec("perth")
    if package is None or package.origin is None:
        raise ConfigError("the PerTh watermarker is missing: install resemble-perth")
    with without_init("perth", "perth.perth_net"):
        from perth.perth_net.perth_net_implicit import checkpoint_manager, model  # noqa: PLC0415
        from perth.perth_net.perth_net_implicit.model.encoder import Encoder  # noqa: PLC0415
    weights = Path(package.origin).with_name("perth_net") / "pretrained"
    checkpoint = checkpoint_manager.CheckpointManager(weights, "implicit")
    config = checkpoint.hp
    if (config.n_fft * SAMPLE_RATE) % config.sample_rate:
        raise ConfigError(f"PerTh at {config.sample_rate} Hz has no equal bins at {SAMPLE_RATE} Hz")
    encoder = Encoder(config.hidden_size, model.compute_subband_freq(config))
    prefix, state = "encoder.", checkpoint.load_latest()["model"]
    own = {key.removeprefix(prefix): state[key] for key in state if key.startswith(prefix)}
    encoder.load_state_dict(own)
    return encoder.to(device).eval(), config
