"""Writes the states of all stages from a finished model, so that each stage can continue from it.

    python -m training.resume --model embedded

Run `training.synthesise_corpus` first: the voices are enrolled from its speech, for which a part of
an hour is enough. A state has the weights of the checkpoint, no optimiser state, and step 0. The
auxiliary layers that are not in a checkpoint (the phone heads of T3 and of the tokenizer) start
with new weights. Then run `training.read_tokens` for tokens, and `training.t3 --rate 3e-4`.
"""

from pathlib import Path

import torch
from torch import nn

from app.engine.checkpoint.build_t3 import build_t3
from app.engine.checkpoint.source import Checkpoint, open_checkpoint
from training.options import parse_options
from training.speech import Speech
from training.t3 import T3WithPhoneHead
from training.tokenizer import TokenizerWithDecoder
from training.training_loop import save_initial_state
from training.voices import enrol_voices, references_of

CPU = torch.device("cpu")


def main() -> None:
    options = parse_options("resume", model="embedded")
    torch.set_num_threads(1)  # a fixed order of sums: the same bytes on every run
    torch.manual_seed(options.seed)
    write_states(open_checkpoint(options.model), options.folder)


def write_states(checkpoint: Checkpoint, folder: Path) -> None:
    """Raises FileNotFoundError if there is no speech from which voices can be enrolled."""
    speech = Speech(folder, ("audio",))
    flow, hift = checkpoint.load_vocoder(CPU)
    t3 = build_t3(checkpoint.spec.t3)  # the file lacks the weights that inference does not read
    t3.load_state_dict(checkpoint.load_t3(CPU, torch.float32).state_dict(), strict=False)
    enrolment = checkpoint.load_enrolment(CPU)
    stages: dict[str, nn.Module] = {
        "tokenizer": TokenizerWithDecoder(enrolment.s3_tokenizer, len(speech.voices)),
        "flow": flow,
        "hift": hift,
        "t3": T3WithPhoneHead(t3),
    }
    for name, model in stages.items():
        save_initial_state(folder, name, model)
    voices = enrol_voices(references_of(speech), enrolment.voice_encoder, enrolment.speaker_encoder)
    torch.save(voices._asdict(), folder / "voices.pt")


if __name__ == "__main__":
    main()
