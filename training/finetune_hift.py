"""Stage 3b: HiFT, trained on the teacher's mels, is fine-tuned on mels that the flow generates.

    python -m training.finetune_hift --minutes 30

The flow makes the mel of a crop from its tokens, as at inference. HiFT learns to make the teacher's
audio from this mel. Continues from the state of `training.hift`.
"""

import torch
from torch import Tensor

from app.core import FRAMES_PER_TOKEN
from app.engine.checkpoint.build_vocoder import build_hift, build_upstream_flow
from training.flow import CROP_TOKENS, Crops, generate_mel
from training.hift import CROP_FRAMES, CROPS, Crop, train_hift
from training.model import read_model
from training.options import parse_training_options
from training.speech import TOKENS, Speech, draw_below
from training.training_loop import load_average
from training.voices import Voices

RATE = 3e-4


def main() -> None:
    options = parse_training_options("finetune_hift", minutes=30.0, steps=2000, rows=CROPS)
    speech = Speech(options.folder, ("audio", "mel", "pitch", TOKENS), options.device)
    spec = read_model().s3gen
    flow = load_average(options.folder, "flow", build_upstream_flow(spec).to(options.device))
    hift = load_average(options.folder, "hift", build_hift(spec.hift).to(options.device))
    crops = Crops(speech, Voices.read(options.folder))

    def draw(indices: Tensor, num: int) -> Crop:
        batch = crops.draw(indices, num)
        mel = generate_mel(flow, batch, spec.euler_steps)
        late = draw_below(torch.full_like(batch.first, mel.shape[1] - CROP_FRAMES + 1))
        at = late[:, None] + torch.arange(CROP_FRAMES, device=late.device)
        mel = mel.gather(1, at[:, :, None].expand(-1, -1, mel.shape[2]))
        first = FRAMES_PER_TOKEN * batch.first + late
        audio, pitch = (
            speech.cut(name, batch.rows, first, CROP_FRAMES) for name in ("audio", "pitch")
        )
        return audio, mel.transpose(1, 2), pitch

    train_hift(
        options,
        "finetune_hift",
        hift,
        RATE,
        draw=draw,
        training=speech.training(CROP_TOKENS),
        validation=speech.validation(CROP_TOKENS),
    )


if __name__ == "__main__":
    main()
