"""Stage 2: HiFT learns to make the teacher's sound from its mels.

    python -m training.hift --minutes 60

The source is driven by the teacher's pitch; the pitch predictor learns beside it. Spectra at four
resolutions and the log-mel are compared; no discriminator.
"""

from collections.abc import Callable
from functools import partial

import torch
from chatterbox.models.s3gen.utils.mel import mel_spectrogram
from torch import Tensor, nn
from torch.nn import functional as F

from app.core import FRAMES_PER_TOKEN, SAMPLES_PER_FRAME
from app.engine.checkpoint.build_vocoder import build_hift
from training.model import read_model
from training.options import Options, schedule, schedule_options
from training.speech import Speech, drawn, drawn_below
from training.training_loop import fit

CROPS, CROP_FRAMES = 8, 40
RATE = 1.2e-3
WINDOWS = (240, 512, 1024, 2048)
MEL_WEIGHT, PITCH_WEIGHT = 2.0, 0.02
FLOOR = 1e-5

# Sound (rows, samples), mel (rows, 80, frames), pitch (rows, frames):
Cut = tuple[Tensor, Tensor, Tensor]


def main() -> None:
    given = schedule_options("hift", minutes=60.0, steps=6000, rows=CROPS)
    speech = Speech(given.folder, ("audio", "mel", "pitch"), given.device)
    torch.manual_seed(given.seed)
    hift = build_hift(read_model().s3gen.hift).to(given.device)
    long_enough = CROP_FRAMES // FRAMES_PER_TOKEN
    trained, checked = speech.trained(long_enough), speech.checked(long_enough)
    own = partial(draw, speech)
    learn(given, "hift", hift, RATE, draw=own, trained=trained, checked=checked)


def learn(
    given: Options,
    stage: str,
    hift: nn.Module,
    rate: float,
    *,
    draw: Callable[[Tensor, int], Cut],
    trained: Tensor,
    checked: Tensor,
) -> None:
    def losses(step: int) -> dict[str, Tensor]:
        return compared(hift, *draw(trained, given.rows))

    @torch.no_grad()
    def check() -> dict[str, float]:
        torch.manual_seed(0)
        parts = compared(hift, *draw(checked, 2 * CROPS))
        return {f"checked_{name}": float(value) for name, value in parts.items()}

    fit(given.folder, stage, hift, schedule(given, rate), losses=losses, check=check)


def draw(speech: Speech, indices: Tensor, num: int) -> Cut:
    rows = drawn(indices, num)
    first = drawn_below(speech.num_frames[rows] - CROP_FRAMES + 1)
    audio, mel, pitch = (
        speech.cut(name, rows, first, CROP_FRAMES) for name in ("audio", "mel", "pitch")
    )
    return audio, mel.transpose(1, 2), pitch


def compared(hift: nn.Module, audio: Tensor, mel: Tensor, pitch: Tensor) -> dict[str, Tensor]:
    source, _, _ = hift.m_source(hift.f0_upsamp(pitch[:, None]).transpose(1, 2))
    made = hift.decode(x=mel, s=source.transpose(1, 2))[:, : audio.shape[1]]
    heard = hift.f0_predictor(mel)
    # The ends of a cut are made without what lies beside them:
    inner = slice(4 * SAMPLES_PER_FRAME, -4 * SAMPLES_PER_FRAME)
    made_mel, true_mel = (mel_spectrogram(wav)[..., 4:-4] for wav in (made, audio))
    return {
        "spectra": spectral(made[:, inner], audio[:, inner]),
        "mel": MEL_WEIGHT * F.l1_loss(made_mel, true_mel),
        "pitch": PITCH_WEIGHT * F.l1_loss(heard, pitch),
    }


def spectral(made: Tensor, true: Tensor) -> Tensor:
    """Spectral convergence and log-magnitude distance, a mean over the resolutions."""
    total = torch.zeros((), device=made.device)
    for size in WINDOWS:
        window = torch.hann_window(size, device=made.device)
        one, other = (
            torch.stft(wav, size, size // 4, window=window, return_complex=True).abs().clamp(FLOOR)
            for wav in (made, true)
        )
        total = total + (one - other).norm() / other.norm() + F.l1_loss(one.log(), other.log())
    return total / len(WINDOWS)


if __name__ == "__main__":
    main()
