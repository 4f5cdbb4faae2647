"""Stage 1b: who speaks, as the model's own enrolment will tell it.

    python -m training.voices

The two encoders of a speaker stay random, scaled to what they hear (`make_embedded`): a mean over
random features of a recording tells a few voices apart. Each voice is enrolled from many
recordings, made of utterances one after the other, so that what learns from them does not learn one
vector by heart. Writes `voices.pt`.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import librosa
import numpy as np
import torch
from chatterbox.models.s3tokenizer import S3_SR
from numpy.typing import NDArray
from torch import Tensor

from app.core import SAMPLE_RATE
from app.engine.checkpoint.components import Component
from app.engine.checkpoint.seeded import build_seeded
from training.calibrate import calibrate_speakers
from training.model import read_model
from training.options import options
from training.speech import Speech

REFERENCES = 24  # of each voice
REFERENCE_S = 6.0


class Voices(NamedTuple):
    """By voice: (references, 256) of the T3's and (references, 192) of the vocoder's vectors."""

    t3: dict[str, Tensor]
    s3gen: dict[str, Tensor]
    encoders: dict[str, dict[str, Tensor]]  # the weights that made them

    @classmethod
    def read(cls, folder: Path) -> "Voices":
        """Raises FileNotFoundError where there are none."""
        return cls(**torch.load(folder / "voices.pt", weights_only=True))


def main() -> None:
    given = options("voices")
    torch.set_num_threads(1)  # sums in one order
    speech, spec = Speech(given.folder, ("audio",)), read_model()
    encoder, speaker = (
        build_seeded(part, spec, given.seed)
        for part in (Component.VOICE_ENCODER, Component.SPEAKER_ENCODER)
    )
    heard = references(speech)
    calibrate_speakers(encoder, speaker, [wav for wavs in heard.values() for wav in wavs[:4]])
    torch.save(enrolled(heard, encoder, speaker)._asdict(), given.folder / "voices.pt")


def references(speech: Speech) -> dict[str, list[NDArray[np.float32]]]:
    """Of every voice many, each six seconds at 16 kHz."""
    return {
        voice: [reference(speech, voice, seed) for seed in range(REFERENCES)]
        for voice in speech.voices
    }


@torch.no_grad()
def enrolled(
    heard: Mapping[str, Sequence[NDArray[np.float32]]], encoder: Any, speaker: Any
) -> Voices:
    """Voices by their `references`, by upstream's VoiceEncoder and CAMPPlus."""
    t3 = {
        voice: torch.from_numpy(
            np.stack([encoder.embeds_from_wavs([w], sample_rate=S3_SR)[0] for w in wavs])
        )
        for voice, wavs in heard.items()
    }
    s3gen = {
        voice: torch.cat([speaker.inference(torch.from_numpy(w)[None]) for w in wavs])
        for voice, wavs in heard.items()
    }
    weights = {"voice_encoder": encoder.state_dict(), "speaker_encoder": speaker.state_dict()}
    return Voices(t3, s3gen, weights)


def drawn_vectors(
    vectors: Mapping[str, Tensor], voices: Sequence[str], device: torch.device
) -> Callable[[Tensor], Tensor]:
    """By numbers of `voices`, (rows,), a vector of each, (rows, size): one of its references',
    drawn from torch's generator."""
    table = torch.stack([vectors[voice] for voice in voices]).to(device)

    def draw(numbers: Tensor) -> Tensor:
        return table[numbers, torch.randint(table.shape[1], (len(numbers),), device=device)]

    return draw


def reference(speech: Speech, voice: str, seed: int) -> NDArray[np.float32]:
    """Six seconds of a voice at 16 kHz."""
    wav = np.concatenate(utterances_of(speech, voice, seed))[: int(REFERENCE_S * SAMPLE_RATE)]
    return librosa.resample(wav, orig_sr=SAMPLE_RATE, target_sr=S3_SR)


def utterances_of(speech: Speech, voice: str, seed: int) -> list[NDArray[np.float32]]:
    """Random ones at 24 kHz, six seconds or a little more in all."""
    parts: list[NDArray[np.float32]] = []
    indices = speech.trained(voice=speech.voices.index(voice))
    for index in np.random.default_rng(seed).permutation(indices.numpy()):
        parts.append(speech.whole("audio", int(index)).numpy())
        if sum(map(len, parts)) >= REFERENCE_S * SAMPLE_RATE:
            break
    return parts


if __name__ == "__main__":
    main()
