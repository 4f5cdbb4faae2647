"""Stage 2: HiFT learns to make the teacher's audio from its mels.

    python -m training.hift --minutes 60

The teacher's pitch drives the sine source; the pitch predictor learns at the same time. The losses
compare spectra at four resolutions and the log-mel. There is no discriminator.
"""

from collections.abc import Callable
from functools import partial

import torch
from chatterbox.models.s3gen.hifigan import HiFTGenerator
from chatterbox.models.s3gen.utils.mel import mel_spectrogram
from torch import Tensor
from torch.nn import functional as F

from app.core import FRAMES_PER_TOKEN, SAMPLES_PER_FRAME
from app.engine.checkpoint.build_vocoder import build_hift
from training.model import read_model
from training.options import Options, parse_training_options, schedule_of
from training.speech import Speech, draw_below, draw_rows
from training.training_loop import train

CROPS, CROP_FRAMES = 8, 40
RATE = 1.2e-3
WINDOWS = (240, 512, 1024, 2048)
MEL_WEIGHT, PITCH_WEIGHT = 2.0, 0.02
FLOOR = 1e-5

# Audio (rows, samples), mel (rows, 80, frames), pitch (rows, frames):
Crop = tuple[Tensor, Tensor, Tensor]


def main() -> None:
    options = parse_training_options("hift", minutes=60.0, steps=6000, rows=CROPS)
    speech = Speech(options.folder, ("audio", "mel", "pitch"), options.device)
    torch.manual_seed(options.seed)
    hift = build_hift(read_model().s3gen.hift).to(options.device)
    train_hift(
        options,
        "hift",
        hift,
        RATE,
        draw=partial(draw_crops, speech),
        training=speech.training(CROP_FRAMES // FRAMES_PER_TOKEN),
        validation=speech.validation(CROP_FRAMES // FRAMES_PER_TOKEN),
    )


def train_hift(
    options: Options,
    stage: str,
    hift: HiFTGenerator,
    rate: float,
    *,
    draw: Callable[[Tensor, int], Crop],
    training: Tensor,
    validation: Tensor,
) -> None:
    def losses(step: int) -> dict[str, Tensor]:
        return losses_of(hift, *draw(training, options.rows))

    @torch.no_grad()
    def validate() -> dict[str, float]:
        torch.manual_seed(0)
        parts = losses_of(hift, *draw(validation, 2 * CROPS))
        return {f"validation_{name}": float(value) for name, value in parts.items()}

    schedule = schedule_of(options, rate)
    train(options.folder, stage, hift, schedule, losses=losses, validate=validate)


def draw_crops(speech: Speech, indices: Tensor, num: int) -> Crop:
    rows = draw_rows(indices, num)
    first = draw_below(speech.num_frames[rows] - CROP_FRAMES + 1)
    audio, mel, pitch = (
        speech.cut(name, rows, first, CROP_FRAMES) for name in ("audio", "mel", "pitch")
    )
    return audio, mel.transpose(1, 2), pitch


def losses_of(hift: HiFTGenerator, audio: Tensor, mel: Tensor, pitch: Tensor) -> dict[str, Tensor]:
    source, _, _ = hift.m_source(hift.f0_upsamp(pitch[:, None]).transpose(1, 2))
    generated = hift.decode(x=mel, s=source.transpose(1, 2))[:, : audio.shape[1]]
    # HiFT made the ends of a crop without the context beside them:
    inner = slice(4 * SAMPLES_PER_FRAME, -4 * SAMPLES_PER_FRAME)
    mels = [mel_spectrogram(wav)[..., 4:-4] for wav in (generated, audio)]
    return {
        "spectra": spectral_distance(generated[:, inner], audio[:, inner]),
        "mel": MEL_WEIGHT * F.l1_loss(*mels),
        "pitch": PITCH_WEIGHT * F.l1_loss(hift.f0_predictor(mel), pitch),
    }


def spectral_distance(generated: Tensor, true: Tensor) -> Tensor:
    """Spectral convergence and log-magnitude distance, averaged over the resolutions."""
    total = torch.zeros((), device=generated.device)
    for size in WINDOWS:
        window = torch.hann_window(size, device=generated.device)
        one, other = (
            torch.stft(wav, size, size // 4, window=window, return_complex=True).abs().clamp(FLOOR)
            for wav in (generated, true)
        )
        total = total + (one - other).norm() / other.norm() + F.l1_loss(one.log(), other.log())
    return total / len(WINDOWS)


if __name__ == "__main__":
    main()
