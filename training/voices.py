"""Stage 1b: computes the speaker vectors of each voice.

    python -m training.voices

The two speaker encoders keep random weights, scaled to the recordings as in `make_embedded`: the
mean of random features tells a few voices apart. Each voice is enrolled from many recordings, so
that the later stages do not overfit to one vector. A recording is several utterances in a row.
Writes `voices.pt`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import librosa
import numpy as np
import torch
from chatterbox.models.s3gen.xvector import CAMPPlus
from chatterbox.models.s3tokenizer import S3_SR
from chatterbox.models.voice_encoder import VoiceEncoder
from numpy.typing import NDArray
from torch import Tensor

from app.core import SAMPLE_RATE
from app.engine.checkpoint.components import Component
from app.engine.checkpoint.seeded import build_seeded
from training.calibrate import calibrate_speakers
from training.model import read_model
from training.options import parse_options
from training.speech import Speech

NUM_REFERENCES = 24  # per voice
REFERENCE_S = 6.0


class Voices(NamedTuple):
    """Speaker vectors by voice: T3's (references, 256) and the vocoder's (references, 192)."""

    t3: dict[str, Tensor]
    s3gen: dict[str, Tensor]
    encoders: dict[str, dict[str, Tensor]]  # the weights of the two encoders

    @classmethod
    def read(cls, folder: Path) -> "Voices":
        """Raises FileNotFoundError if this stage has not run."""
        return cls(**torch.load(folder / "voices.pt", weights_only=True))


def main() -> None:
    options = parse_options("voices")
    torch.set_num_threads(1)  # a fixed order of sums: the same bytes on every run
    speech, spec = Speech(options.folder, ("audio",)), read_model()
    voice_encoder, speaker_encoder = (
        build_seeded(part, spec, options.seed)
        for part in (Component.VOICE_ENCODER, Component.SPEAKER_ENCODER)
    )
    references = references_of(speech)
    some = [wav for wavs in references.values() for wav in wavs[:4]]
    calibrate_speakers(voice_encoder, speaker_encoder, some)
    voices = enrol_voices(references, voice_encoder, speaker_encoder)
    torch.save(voices._asdict(), options.folder / "voices.pt")


def references_of(speech: Speech) -> dict[str, list[NDArray[np.float32]]]:
    """NUM_REFERENCES recordings per voice, each of six seconds at 16 kHz."""
    return {
        voice: [draw_reference(speech, voice, seed) for seed in range(NUM_REFERENCES)]
        for voice in speech.voices
    }


@torch.no_grad()
def enrol_voices(
    references: Mapping[str, Sequence[NDArray[np.float32]]],
    voice_encoder: VoiceEncoder,
    speaker_encoder: CAMPPlus,
) -> Voices:
    t3 = {
        voice: torch.from_numpy(
            np.stack([voice_encoder.embeds_from_wavs([w], sample_rate=S3_SR)[0] for w in wavs])
        )
        for voice, wavs in references.items()
    }
    s3gen = {
        voice: torch.cat([speaker_encoder.inference(torch.from_numpy(w)[None]) for w in wavs])
        for voice, wavs in references.items()
    }
    encoders = {
        "voice_encoder": voice_encoder.state_dict(),
        "speaker_encoder": speaker_encoder.state_dict(),
    }
    return Voices(t3, s3gen, encoders)


def speaker_table(
    vectors: Mapping[str, Tensor], voices: Sequence[str], device: torch.device
) -> Callable[[Tensor], Tensor]:
    """A function from numbers of `voices`, (rows,), to vectors, (rows, size). The vector of a row
    is that of a random reference of its voice, by torch's generator."""
    table = torch.stack([vectors[voice] for voice in voices]).to(device)

    def draw(numbers: Tensor) -> Tensor:
        return table[numbers, torch.randint(table.shape[1], (len(numbers),), device=device)]

    return draw


def draw_reference(speech: Speech, voice: str, seed: int) -> NDArray[np.float32]:
    """Six seconds of a voice at 16 kHz."""
    wav = np.concatenate(draw_utterances(speech, voice, seed))[: int(REFERENCE_S * SAMPLE_RATE)]
    resampled: NDArray[np.float32] = librosa.resample(wav, orig_sr=SAMPLE_RATE, target_sr=S3_SR)
    return resampled


def draw_utterances(speech: Speech, voice: str, seed: int) -> list[NDArray[np.float32]]:
    """Random utterances at 24 kHz, together six seconds or a little more."""
    parts: list[NDArray[np.float32]] = []
    indices = speech.training(voice=speech.voices.index(voice))
    for index in np.random.default_rng(seed).permutation(indices.numpy()):
        parts.append(speech.whole("audio", int(index)).numpy())
        if sum(map(len, parts)) >= REFERENCE_S * SAMPLE_RATE:
            break
    return parts


if __name__ == "__main__":
    main()
