"""Compares the model's voices with the teacher's speakers, by the speaker encoder of Resemblyzer.
Resemblyzer knows nothing about the models.

    python -m training.speaker_similarity --model embedded
    python -m training.speaker_similarity --t3 '{"dtype": "int8"}' --vocoder '{"dtype": "int8"}'

A speaker is the mean embedding of the teacher's recordings of this voice. The speakers are compared
with the teacher's other sentences, with the model's own voices, and with voices that are cloned
from a recording outside the training set. One cloned speaker is not in the training set at all.
The figures of each: the mean cosine to its own speaker, the mean cosine to the nearest other
speaker, and the share of utterances that are nearest to their own speaker. The last line is JSON.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from resemblyzer import VoiceEncoder, preprocess_wav

from app.config import ServeArgs
from app.core import SAMPLE_RATE, VoiceKind, VoiceRef
from app.engine.synthesizer import LocalSynthesizer
from training.assemble import NAMES
from training.corpus import Sentence, held_out
from training.options import parse_options
from training.synthesise_corpus import flite
from training.word_error_rate import Wav, serve_args, synthesise

STRANGER = "kal16"  # a voice of flite that is not in the training set
REFERENCE_S = 6.0  # the least length of a reference recording
Embeddings = NDArray[np.float32]  # (utterances, 256), each of length 1


def main() -> None:
    options = parse_options(
        "speaker_similarity", model="embedded", sentences=12, t3="{}", vocoder="{}"
    )
    figures = asyncio.run(speaker_similarity(serve_args(options), options.sentences, options.seed))
    sys.stdout.write(json.dumps({"speaker_similarity": options.model, **figures}) + "\n")


async def speaker_similarity(
    args: ServeArgs,
    num_sentences: int,
    seed: int = 1,
    teachers: Sequence[str] = (*NAMES, STRANGER),
) -> dict[str, dict[str, float]]:
    """The figures by voice. The last sentences of `held_out.txt` make the speakers, the first ones
    are compared."""
    references, sentences = held_out()[-num_sentences:], held_out()[:num_sentences]
    encoder = VoiceEncoder("cpu", verbose=False)
    speakers = {
        teacher: mean_embedding(embed(encoder, [flite(s.text, teacher)[0] for s in references]))
        for teacher in teachers
    }
    wavs = {
        (teacher, "teacher"): [flite(s.text, teacher)[0] for s in sentences] for teacher in teachers
    }
    with tempfile.TemporaryDirectory() as folder:
        for teacher in teachers:
            wav = reference_recording(teacher, references)
            soundfile.write(Path(folder) / f"{teacher}.wav", wav, SAMPLE_RATE)
        synthesizer = LocalSynthesizer.open(args.model_copy(update={"voices": folder}))
        for teacher in teachers:
            voices = {"cloned": VoiceRef(teacher, VoiceKind.RECORDED)}
            await synthesizer.enrol(voices["cloned"])
            if teacher in NAMES:
                voices["own"] = VoiceRef(NAMES[teacher])
            for kind, voice in voices.items():
                by_text = await synthesise(synthesizer, voice, sentences, {"seed": seed}, at_once=4)
                wavs[teacher, kind] = list(by_text.values())
        synthesizer.close()
    return {
        f"{teacher}, {kind}": compare(embed(encoder, some), teacher, speakers)
        for (teacher, kind), some in wavs.items()
    }


def reference_recording(teacher: str, sentences: Sequence[Sentence]) -> Wav:
    """(samples,) at 24 kHz: the recording from which the voice is cloned."""
    parts: list[Wav] = []
    for sentence in sentences:
        if sum(map(len, parts)) < REFERENCE_S * SAMPLE_RATE:
            parts.append(flite(sentence.text, teacher)[0])
    return np.concatenate(parts)


def embed(encoder: VoiceEncoder, wavs: Sequence[Wav]) -> Embeddings:
    """(utterances, 256). Each of `wavs` is (samples,) at 24 kHz."""
    return np.stack([encoder.embed_utterance(preprocess_wav(wav, SAMPLE_RATE)) for wav in wavs])


def mean_embedding(embeddings: Embeddings) -> NDArray[np.float32]:
    """(256,), of length 1."""
    mean: NDArray[np.float32] = embeddings.mean(0)
    return mean / np.float32(np.linalg.norm(mean))


def compare(
    embeddings: Embeddings, teacher: str, speakers: Mapping[str, NDArray[np.float32]]
) -> dict[str, float]:
    own = embeddings @ speakers[teacher]
    others = np.stack([embeddings @ speakers[name] for name in speakers if name != teacher])
    return {
        "cosine": round(float(own.mean()), 3),
        "nearest_other": round(float(others.mean(1).max()), 3),
        "is_nearest_own": round(float((own > others.max(0)).mean()), 3),
    }


if __name__ == "__main__":
    main()
