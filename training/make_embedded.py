"""Makes the checkpoints that babble: upstream's classes at small sizes, with calibrated random
weights.

    .venv/bin/python -m training.make_embedded

Reads training/embedded.json and writes checkpoints/<name>/ in about 20 s on one core. The bytes are
the same on every run on one machine. The models speak no language: T3's random weights draw varied
codec ids, and the random vocoder is scaled so that its audio has the level and the pitch of a
voice. Real weights of the same shapes can replace each file.
"""

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
from chatterbox.models.s3gen.hifigan import HiFTGenerator
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.signal import lfilter
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from app.core import FRAMES_PER_TOKEN, NUM_SPEECH_IDS, SAMPLE_RATE
from app.engine.checkpoint.components import Component, EnrolmentModels
from app.engine.checkpoint.find_model import EMBEDDED_FOLDER
from app.engine.checkpoint.seeded import build_seeded
from app.engine.checkpoint.spec import ModelSpec
from app.engine.conditionals import Conditionals
from app.engine.voices.enrolment import prepare
from app.engine.voices.reference_audio import ReferenceAudio
from training.calibrate import calibrate_enrolment, standardise
from training.write_checkpoint import write_checkpoint

CONFIG = Path(__file__).with_name("embedded.json")
FORMANT_WIDTH_HZ = 90.0
PROBE_TOKENS = 75  # the vocoder is calibrated on them
CALIBRATION_ROUNDS = 6
TILT_PER_BIN = 0.5  # of log magnitude per 1.5 kHz
DC_CUT = 0.27  # of bin 0: its mean then cancels that of bin 1 (phases stay within one radian)


class Voice(BaseModel):
    """A synthetic vowel: glottal pulses through formant resonators."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    pitch_hz: float
    formants_hz: tuple[float, ...]
    seed: int


class Recipe(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    seed: int
    reference_s: float
    mel_mean: float  # of the flow's log-mel; that of speech is about -5 +- 2
    mel_std: float
    f0_hz: float
    f0_std_hz: float
    rms: float  # of the waveform, full scale 1
    voices: dict[str, Voice]
    models: list[ModelSpec]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--out", type=Path, default=EMBEDDED_FOLDER)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # a fixed order of sums: the same bytes on every run
    recipe = Recipe.model_validate_json(arguments.config.read_text())
    for spec in recipe.models:
        make(spec, recipe, arguments.out / spec.name)


def make(spec: ModelSpec, recipe: Recipe, folder: Path) -> None:
    references = {name: vowels(voice, recipe.reference_s) for name, voice in recipe.voices.items()}
    t3, flow, hift, speech_tokenizer, speaker_encoder, voice_encoder = (
        build_seeded(part, spec, recipe.seed) for part in Component
    )
    enrolment = EnrolmentModels(
        voice_encoder, speech_tokenizer, speaker_encoder, spec.t3.prompt_len
    )
    calibrate_enrolment(enrolment, list(references.values()))
    voices = [
        prepare(ReferenceAudio(wav, SAMPLE_RATE, name), enrolment, spec.family, name, "upstream")
        for name, wav in references.items()
    ]
    calibrate_flow(flow, spec, recipe, voices)
    calibrate_hift(hift, recipe, probe(flow, spec, recipe, voices))

    modules = {
        Component.T3: t3,
        Component.FLOW: flow,
        Component.HIFT: hift,
        Component.SPEECH_TOKENIZER: speech_tokenizer,
        Component.SPEAKER_ENCODER: speaker_encoder,
        Component.VOICE_ENCODER: voice_encoder,
    }
    write_checkpoint(folder, spec, modules, voices)


def vowels(voice: Voice, seconds: float) -> NDArray[np.float32]:
    """(24000 * seconds,) float32: pulses at a wandering pitch through formants that move."""
    random = np.random.default_rng(voice.seed)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = voice.pitch_hz * (1 + 0.08 * np.sin(2 * np.pi * 0.9 * time + random.uniform(0, 6)))
    phase = np.cumsum(pitch / SAMPLE_RATE)
    pulses = np.diff(np.floor(phase), prepend=0.0) + 0.01 * random.standard_normal(len(time))
    syllables = np.clip(0.5 + 0.8 * np.sin(2 * np.pi * 3.1 * time + random.uniform(0, 6)), 0, 1)
    sound = np.zeros_like(time)
    for block in np.array_split(np.arange(len(time)), int(seconds * 4)):  # a new vowel each 250 ms
        shift = random.uniform(0.85, 1.2, len(voice.formants_hz))
        part = pulses[block]
        for formant in np.array(voice.formants_hz) * shift:
            radius = math.exp(-math.pi * FORMANT_WIDTH_HZ / SAMPLE_RATE)
            angle = 2 * math.pi * formant / SAMPLE_RATE
            part = lfilter([1.0], [1.0, -2 * radius * math.cos(angle), radius**2], part)
        sound[block] = part
    sound *= syllables
    scaled: NDArray[np.float32] = (0.3 * sound / np.abs(sound).max()).astype(np.float32)
    return scaled


@torch.no_grad()
def calibrate_flow(
    flow: CausalMaskedDiffWithXvec, spec: ModelSpec, recipe: Recipe, voices: list[Conditionals]
) -> None:
    """Scales the last layer until the mel has the wanted mean and deviation."""
    last = flow.decoder.estimator.final_proj
    for _ in range(CALIBRATION_ROUNDS):
        mel = probe(flow, spec, recipe, voices)
        last.weight.mul_((recipe.mel_std / mel.std()).clamp(0.5, 2.0))
        last.bias.add_(recipe.mel_mean - mel.mean((0, 2)))


@torch.no_grad()
def probe(
    flow: CausalMaskedDiffWithXvec, spec: ModelSpec, recipe: Recipe, voices: list[Conditionals]
) -> Tensor:
    """(voices, 80, frames): the mel of the same tokens in every voice."""
    torch.manual_seed(recipe.seed)
    tokens = torch.randint(NUM_SPEECH_IDS, (1, PROBE_TOKENS))
    mels = [
        flow.inference(
            token=tokens,
            token_len=torch.tensor([PROBE_TOKENS]),
            prompt_token=voice.s3gen.prompt_tokens[None],
            prompt_token_len=torch.tensor([len(voice.s3gen.prompt_tokens)]),
            prompt_feat=voice.s3gen.prompt_mel[None],
            prompt_feat_len=None,
            embedding=voice.s3gen.speaker_emb[None],
            finalize=True,
            n_timesteps=spec.s3gen.euler_steps,
            noised_mels=torch.randn(1, 80, PROBE_TOKENS * FRAMES_PER_TOKEN),
            meanflow=spec.s3gen.meanflow,
        )[0]
        for voice in voices
    ]
    return torch.cat(mels)


@torch.no_grad()
def calibrate_hift(hift: HiFTGenerator, recipe: Recipe, mel: Tensor) -> None:
    """Scales every convolution's output to deviation one (with upstream's initial weights the
    output is nearly zero). Then sets the pitch, and a magnitude that falls with frequency and has
    the wanted level."""
    hooks = [
        layer.register_forward_hook(normalise_output)
        for layer in hift.modules()
        if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d)
    ]
    torch.manual_seed(recipe.seed)
    hift.inference(mel)
    for hook in hooks:
        hook.remove()
    predictor = hift.f0_predictor
    features = predictor.condnet(mel).transpose(1, 2).flatten(0, 1)
    standardise(predictor.classifier, features, recipe.f0_hz, recipe.f0_std_hz)
    num_bins = hift.istft_params["n_fft"] // 2 + 1
    hift.conv_post.bias[:num_bins] = -TILT_PER_BIN * torch.arange(num_bins)
    hift.conv_post.bias[0] -= DC_CUT
    for _ in range(CALIBRATION_ROUNDS):
        torch.manual_seed(recipe.seed)
        wav, _ = hift.inference(mel)
        hift.conv_post.bias[:num_bins] += (recipe.rms / wav.std()).log()


@torch.no_grad()
def normalise_output(layer: Any, _inputs: object, output: Tensor) -> Tensor:
    """A forward hook: scales the layer so that this output has deviation one."""
    scale = 1.0 / output.std()
    weight = layer.parametrizations.weight.original0 if is_parametrized(layer) else layer.weight
    weight.mul_(scale)
    layer.bias.mul_(scale)
    return output * scale


if __name__ == "__main__":
    main()
