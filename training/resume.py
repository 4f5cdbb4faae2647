"""Takes a finished model up again, so that any of its stages can go on from it.

    python -m training.resume --model embedded

After `training.synthesise_corpus` (some of an hour is enough: voices are enrolled from it). Writes the states
that the stages read: weights of the checkpoint, no memory of the optimiser, step 0. What a stage
throws away at its end (T3's and the tokenizer's own tellers of phones) begins anew. Then
`training.read_tokens` for tokens, and `training.t3 --rate 3e-4`.
"""

from pathlib import Path

import torch
from torch import nn

from app.engine.checkpoint.build_t3 import build_t3
from app.engine.checkpoint.source import Checkpoint, open_checkpoint
from training import t3 as t3_stage
from training import tokenizer as tokenizer_stage
from training.options import options
from training.speech import Speech
from training.training_loop import begin_from
from training.voices import enrolled, references

CPU = torch.device("cpu")


def main() -> None:
    given = options("again", model="embedded")
    torch.set_num_threads(1)  # sums in one order
    torch.manual_seed(given.seed)
    take_up(open_checkpoint(given.model), given.folder)


def take_up(checkpoint: Checkpoint, folder: Path) -> None:
    """Raises FileNotFoundError where there is no speech to enrol voices from."""
    speech = Speech(folder, ("audio",))
    flow, hift = checkpoint.load_vocoder(CPU, torch.float32)
    t3 = build_t3(checkpoint.spec.t3)  # whole: what inference does not read is not in the file
    t3.load_state_dict(checkpoint.load_t3(CPU, torch.float32).state_dict(), strict=False)
    models = checkpoint.load_enrolment(CPU)
    stages: dict[str, nn.Module] = {
        "tokenizer": tokenizer_stage.Learner(models.s3_tokenizer, len(speech.voices)),
        "flow": flow,
        "hift": hift,
        "t3": t3_stage.Learner(t3),
    }
    for name, learner in stages.items():
        begin_from(folder, name, learner)
    voices = enrolled(references(speech), models.voice_encoder, models.speaker_encoder)
    torch.save(voices._asdict(), folder / "voices.pt")


if __name__ == "__main__":
    main()
