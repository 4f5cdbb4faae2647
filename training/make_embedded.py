"""Makes the embedded checkpoints: upstream's classes, small, with calibrated random weights.

    .venv/bin/python training/make_embedded.py

reads training/embedded.json and writes checkpoints/<name>/ (some 20 s on one core; the same bytes
every time on one machine). They speak no language: random T3 weights draw lively codec ids, and
the random vocoder is scaled so that those become sound of a voice's level and pitch. Real weights
of the same shape replace them file by file.
"""

import argparse
import json
import math
from pathlib import Path

import librosa
import numpy as np
import torch
from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
from chatterbox.models.s3gen.hifigan import HiFTGenerator
from chatterbox.models.s3tokenizer import S3_SR
from chatterbox.models.voice_encoder.melspec import melspectrogram
from chatterbox.models.voice_encoder.voice_encoder import stride_as_partials
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors.torch import save_file
from scipy.signal import lfilter
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from transformers import PreTrainedTokenizerFast

from app.core import FRAMES_PER_TOKEN, NUM_SPEECH_IDS, SAMPLE_RATE
from app.engine.checkpoint.build_t3 import UNREAD_BY_T3
from app.engine.checkpoint.local import CONFIG_FILE, own_layout
from app.engine.checkpoint.parts import EnrolmentModels, Part
from app.engine.checkpoint.seeded import build_seeded
from app.engine.checkpoint.source import EMBEDDED_FOLDER
from app.engine.checkpoint.spec import ModelSpec
from app.engine.enrolment import prepare
from app.engine.voices import Conditionals, save_conditionals

CONFIG = Path(__file__).with_name("embedded.json")
S3GEN_PARTS = (Part.FLOW, Part.HIFT, Part.SPEECH_TOKENIZER, Part.SPEAKER_ENCODER)
TURBO_TAGS = ("[laugh]", "[chuckle]", "[cough]", "[sigh]", "[gasp]", "[clear throat]")
FORMANT_WIDTH_HZ = 90.0
PROBE_TOKENS = 75  # what the vocoder is calibrated on
CALIBRATION_ROUNDS = 6
VOICE_ENCODER_GAIN = 30.0  # power mels are small numbers
TILT_PER_BIN = 0.5  # of log magnitude per 1.5 kHz
DC_CUT = 0.27  # of bin 0, whose mean then cancels that of bin 1 (phases stay within one radian)


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
    mel_mean: float  # of the log-mel that the flow makes; speech is about -5 +- 2
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
    torch.set_num_threads(1)  # sums in one order
    recipe = Recipe.model_validate_json(arguments.config.read_text())
    for spec in recipe.models:
        make(spec, recipe, arguments.out / spec.name)


def make(spec: ModelSpec, recipe: Recipe, folder: Path) -> None:
    (folder / "voices").mkdir(parents=True, exist_ok=True)
    references = {name: vowels(voice, recipe.reference_s) for name, voice in recipe.voices.items()}
    t3, flow, hift, speech_tokenizer, speaker_encoder, voice_encoder = (
        build_seeded(part, spec, recipe.seed) for part in Part
    )
    enrolment = EnrolmentModels(
        voice_encoder, speech_tokenizer, speaker_encoder, spec.t3.prompt_len
    )
    calibrate_enrolment(enrolment, list(references.values()))
    voices = [
        prepare(wav, SAMPLE_RATE, enrolment, spec.family, name) for name, wav in references.items()
    ]
    calibrate_flow(flow, spec, recipe, voices)
    calibrate_hift(hift, recipe, probe(flow, spec, recipe, voices))

    layout = own_layout(spec.family)
    document = spec.model_dump(mode="json", exclude_defaults=True)
    (folder / CONFIG_FILE).write_text(json.dumps(document, indent=2) + "\n")
    save(folder / layout.t3, {"": t3})
    save(folder / layout.voice_encoder, {"": voice_encoder})
    s3gen = {
        f"{Part.FLOW}.": flow,
        f"{Part.HIFT}.": hift,
        f"{Part.SPEECH_TOKENIZER}.": speech_tokenizer,
        f"{Part.SPEAKER_ENCODER}.": speaker_encoder,
    }
    save(folder / layout.s3gen, s3gen)
    save_tokenizer = save_byte_tokenizer if spec.family == "turbo" else save_letter_tokenizer
    save_tokenizer(folder, spec)
    for voice in voices:
        save_conditionals(folder / "voices" / f"{voice.voice}.safetensors", voice)


def save(path: Path, modules: dict[str, nn.Module]) -> None:
    """Half precision: it is cast when it is loaded. `modules` by the prefix of their keys."""
    unread = tuple(f"{name}." for name in UNREAD_BY_T3)
    state = {
        prefix + key: tensor.half() if tensor.is_floating_point() else tensor
        for prefix, module in modules.items()
        for key, tensor in module.state_dict().items()
        if not key.startswith(unread)
    }
    save_file(state, path)


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
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


@torch.no_grad()
def calibrate_enrolment(models: EnrolmentModels, references: list[NDArray[np.float32]]) -> None:
    """Random encoders would hear every recording as much the same; scaled to what they are given,
    they tell the voices apart and use the whole codebook."""
    wavs = [librosa.resample(wav, orig_sr=SAMPLE_RATE, target_sr=S3_SR) for wav in references]
    batch = torch.from_numpy(np.stack(wavs))
    for norm in models.speaker_encoder.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.momentum = None  # a mean over all it sees, which is this one batch
    models.speaker_encoder.train()
    models.speaker_encoder.inference(batch)
    models.speaker_encoder.eval()
    tokenizer = models.s3_tokenizer
    mels = torch.stack([tokenizer.log_mel_spectrogram(wav) for wav in batch])
    hidden, _ = tokenizer.encoder(mels, torch.full((len(mels),), mels.shape[-1]))
    standardise(tokenizer.quantizer._codebook.project_down, hidden.flatten(0, 1), 0.0, 1.0)
    encoder = models.voice_encoder
    encoder.lstm.weight_ih_l0.mul_(VOICE_ENCODER_GAIN)
    partials = np.concatenate(
        [stride_as_partials(melspectrogram(wav, encoder.hp).T, encoder.hp) for wav in wavs]
    )
    _, (hidden, _) = encoder.lstm(torch.from_numpy(partials))
    standardise(encoder.proj, hidden[-1], 0.0, 1.0)


@torch.no_grad()
def standardise(linear: nn.Linear, inputs: Tensor, mean: float, std: float) -> None:
    """Each output gets this mean and deviation over the rows of `inputs`."""
    outputs = linear(inputs)
    scale = std / outputs.std(0)
    linear.weight.mul_(scale[:, None])
    linear.bias.copy_((linear.bias - outputs.mean(0)) * scale + mean)


@torch.no_grad()
def calibrate_flow(
    flow: CausalMaskedDiffWithXvec, spec: ModelSpec, recipe: Recipe, voices: list[Conditionals]
) -> None:
    """The last layer makes a mel of the wanted mean and deviation."""
    last = flow.decoder.estimator.final_proj
    for _ in range(CALIBRATION_ROUNDS):
        mel = probe(flow, spec, recipe, voices)
        last.weight.mul_((recipe.mel_std / mel.std()).clamp(0.5, 2.0))
        last.bias.add_(recipe.mel_mean - mel.mean((0, 2)))


@torch.no_grad()
def probe(
    flow: CausalMaskedDiffWithXvec, spec: ModelSpec, recipe: Recipe, voices: list[Conditionals]
) -> Tensor:
    """(voices, 80, frames): the same tokens in every voice."""
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
    """Every convolution's output near deviation one (upstream's start lets nothing through), then
    a speaking pitch, and a magnitude that falls with frequency to the wanted level."""
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
def normalise_output(layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    """A forward hook: scales the layer so that what it just made has deviation one."""
    scale = 1.0 / output.std()
    weight = layer.parametrizations.weight.original0 if is_parametrized(layer) else layer.weight
    weight.mul_(scale)
    layer.bias.mul_(scale)
    return output * scale


def save_letter_tokenizer(folder: Path, spec: ModelSpec) -> None:
    """A letter is an id, in the file format and with the special tokens of upstream's English."""
    letters = [chr(code) for code in (*range(0x21, 0x7F), *range(0xA1, 0x100))]
    vocabulary = {"[UNK]": 1, "[SPACE]": 2}
    vocabulary |= {letter: index for index, letter in enumerate(letters, start=3)}
    vocabulary |= {"[STOP]": spec.t3.stop_text_token, "[START]": spec.t3.start_text_token}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]"))
    tokenizer.add_special_tokens(["[STOP]", "[UNK]", "[SPACE]", "[START]"])
    tokenizer.save(str(folder / "tokenizer.json"))


def save_byte_tokenizer(folder: Path, _spec: ModelSpec) -> None:
    """GPT-2's bytes without its merges, and some of turbo's tags."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<|endoftext|>": 0}
    vocabulary |= {letter: index for index, letter in enumerate(alphabet, start=1)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in TURBO_TAGS])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        unk_token="<|endoftext|>",
    ).save_pretrained(folder)


if __name__ == "__main__":
    main()
