"""Stage 5: the trained parts become `checkpoints/embedded`, each voice enrolled from the
teacher's speech by the model's own enrolment.

    python -m training.assemble --out checkpoints/embedded
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from app.core import SAMPLE_RATE
from app.engine.checkpoint.build_enrolment import build_speech_tokenizer
from app.engine.checkpoint.build_t3 import build_t3
from app.engine.checkpoint.build_vocoder import build_flow, build_hift
from app.engine.checkpoint.components import Component, EnrolmentModels
from app.engine.checkpoint.seeded import build_seeded
from app.engine.checkpoint.source import EMBEDDED_FOLDER
from app.engine.voices.enrolment import prepare
from training import t3 as t3_stage
from training import tokenizer as tokenizer_stage
from training.model import read_model
from training.options import options
from training.speech import Speech
from training.training_loop import load_average
from training.voices import Voices, utterances_of
from training.write_checkpoint import write

NAMES = {"slt": "ada", "rms": "bela", "awb": "cleo"}  # a teacher's voice: what it is called here
REFERENCE_SEED = 0


def main() -> None:
    given = options("assemble", out=str(EMBEDDED_FOLDER / "embedded"))
    torch.set_num_threads(1)
    assemble(given.folder, Path(given.out))


def assemble(work: Path, out: Path) -> None:
    """Raises FileNotFoundError for a stage that has not been trained."""
    speech, spec = Speech(work, ("audio",)), read_model()
    modules = trained(work, len(speech.voices))
    enrolment = EnrolmentModels(
        modules[Component.VOICE_ENCODER],  # type: ignore[arg-type]
        modules[Component.SPEECH_TOKENIZER],  # type: ignore[arg-type]
        modules[Component.SPEAKER_ENCODER],  # type: ignore[arg-type]
        spec.t3.prompt_len,
    )
    voices = []
    for voice in speech.voices:
        wav = np.concatenate(utterances_of(speech, voice, REFERENCE_SEED))
        name = NAMES.get(voice, voice)
        voices.append(prepare(wav, SAMPLE_RATE, enrolment, spec.family, name))
    write(out, spec, modules, voices)


def adapted(work: Path) -> str:
    """HiFT's last stage so far."""
    return "adapt" if (work / "adapt.pt").exists() else "hift"


def trained(work: Path, num_voices: int) -> dict[Component, nn.Module]:
    spec, speakers = read_model(), Voices.read(work).encoders
    t3 = t3_stage.Learner(build_t3(spec.t3))
    tokenizer = build_speech_tokenizer(spec.s3gen.tokenizer)
    load_average(work, "t3", t3)
    load_average(work, "tokenizer", tokenizer_stage.Learner(tokenizer, num_voices))
    modules: dict[Component, nn.Module] = {
        Component.T3: t3.t3,
        Component.FLOW: load_average(work, "flow", build_flow(spec.s3gen)),
        Component.HIFT: load_average(work, adapted(work), build_hift(spec.s3gen.hift)),
        Component.SPEECH_TOKENIZER: tokenizer,
    }
    for part in (Component.VOICE_ENCODER, Component.SPEAKER_ENCODER):
        modules[part] = build_seeded(part, spec, 0)
        modules[part].load_state_dict(speakers[part])
    return {part: module.eval() for part, module in modules.items()}


if __name__ == "__main__":
    main()
