"""Stage 5: writes `checkpoints/embedded` from the trained modules. The model's own enrolment
prepares each voice from the teacher's speech.

    python -m training.assemble --out checkpoints/embedded
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from app.core import SAMPLE_RATE
from app.engine.checkpoint.build_enrolment import build_speech_tokenizer
from app.engine.checkpoint.build_t3 import build_t3
from app.engine.checkpoint.build_vocoder import build_hift, build_upstream_flow
from app.engine.checkpoint.components import Component, EnrolmentModels
from app.engine.checkpoint.find_model import EMBEDDED_FOLDER
from app.engine.checkpoint.seeded import build_seeded
from app.engine.voices.enrolment import prepare
from app.engine.voices.reference_audio import ReferenceAudio
from training.model import read_model
from training.options import parse_options
from training.speech import Speech
from training.t3 import T3WithPhoneHead
from training.tokenizer import TokenizerWithDecoder
from training.training_loop import load_average
from training.voices import Voices, draw_utterances
from training.write_checkpoint import write_checkpoint

NAMES = {"slt": "ada", "rms": "bela", "awb": "cleo"}  # the teacher's voice: the name in the model
REFERENCE_SEED = 0


def main() -> None:
    options = parse_options("assemble", out=str(EMBEDDED_FOLDER / "embedded"))
    torch.set_num_threads(1)
    assemble(options.folder, Path(options.out))


def assemble(work: Path, out: Path) -> None:
    """Raises FileNotFoundError if a stage has not been trained."""
    speech, spec = Speech(work, ("audio",)), read_model()
    modules = load_modules(work, len(speech.voices))
    enrolment = EnrolmentModels(
        modules[Component.VOICE_ENCODER],
        modules[Component.SPEECH_TOKENIZER],
        modules[Component.SPEAKER_ENCODER],
        spec.t3.prompt_len,
    )
    voices = []
    for voice in speech.voices:
        wav = np.concatenate(draw_utterances(speech, voice, REFERENCE_SEED))
        name = NAMES.get(voice, voice)
        recording = ReferenceAudio(wav, SAMPLE_RATE, name)
        voices.append(prepare(recording, enrolment, spec.family, name, "upstream"))
    write_checkpoint(out, spec, modules, voices)


def load_modules(work: Path, num_voices: int) -> dict[Component, nn.Module]:
    spec, encoders = read_model(), Voices.read(work).encoders
    t3 = T3WithPhoneHead(build_t3(spec.t3))
    tokenizer = build_speech_tokenizer(spec.s3gen.tokenizer)
    load_average(work, "t3", t3)
    load_average(work, "tokenizer", TokenizerWithDecoder(tokenizer, num_voices))
    modules: dict[Component, nn.Module] = {
        Component.T3: t3.t3,
        Component.FLOW: load_average(work, "flow", build_upstream_flow(spec.s3gen)),
        Component.HIFT: load_average(work, last_hift_stage(work), build_hift(spec.s3gen.hift)),
        Component.SPEECH_TOKENIZER: tokenizer,
    }
    for part in (Component.VOICE_ENCODER, Component.SPEAKER_ENCODER):
        modules[part] = build_seeded(part, spec, 0)
        modules[part].load_state_dict(encoders[part])
    return {part: module.eval() for part, module in modules.items()}


def last_hift_stage(work: Path) -> str:
    return "finetune_hift" if (work / "finetune_hift.pt").exists() else "hift"


if __name__ == "__main__":
    main()
