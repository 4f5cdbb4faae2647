"""Stage 3b: HiFT, which learnt from the teacher's mels, learns from those that the flow makes.

    python -m training.finetune_hift --minutes 30

The flow makes the mel of a cut from its tokens, as at inference; HiFT shall make the
teacher's sound of it all the same. Goes on from what `training.hift` made.
"""

import torch
from torch import Tensor

from app.core import FRAMES_PER_TOKEN
from app.engine.checkpoint.build_vocoder import build_flow, build_hift
from training.flow import CROP_TOKENS, Cuts, made
from training.hift import CROP_FRAMES, CROPS, Cut, learn
from training.model import read_model
from training.options import schedule_options
from training.speech import TOKENS, Speech, drawn_below
from training.training_loop import load_average
from training.voices import Voices

RATE = 3e-4


def main() -> None:
    given = schedule_options("adapt", minutes=30.0, steps=2000, rows=CROPS)
    speech = Speech(given.folder, ("audio", "mel", "pitch", TOKENS), given.device)
    spec = read_model().s3gen
    flow = load_average(given.folder, "flow", build_flow(spec).to(given.device))
    hift = load_average(given.folder, "hift", build_hift(spec.hift).to(given.device))
    cuts = Cuts(speech, Voices.read(given.folder))
    trained, checked = speech.trained(CROP_TOKENS), speech.checked(CROP_TOKENS)

    def draw(indices: Tensor, num: int) -> Cut:
        batch = cuts.draw(indices, num)
        mel = made(flow, batch, spec.euler_steps)
        late = drawn_below(torch.full_like(batch.first, mel.shape[1] - CROP_FRAMES + 1))
        at = late[:, None] + torch.arange(CROP_FRAMES, device=late.device)
        mel = mel.gather(1, at[:, :, None].expand(-1, -1, mel.shape[2]))
        first = FRAMES_PER_TOKEN * batch.first + late
        audio, pitch = (
            speech.cut(name, batch.rows, first, CROP_FRAMES) for name in ("audio", "pitch")
        )
        return audio, mel.transpose(1, 2), pitch

    learn(given, "adapt", hift, RATE, draw=draw, trained=trained, checked=checked)


if __name__ == "__main__":
    main()
