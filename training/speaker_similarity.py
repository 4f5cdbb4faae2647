"""Whose voice is it? By Resemblyzer, an encoder of speakers that knows nothing of the models.

    python -m training.speaker_similarity --model embedded

A speaker is what the teacher's recordings of it have in common (the mean of their embeddings).
Judged: the teacher itself with other sentences, the model's own voices, and voices cloned from a
recording that nothing was learnt from; one of a speaker that the model has never heard. Of each:
its cosine to its own speaker, to the nearest other, and the share of utterances that are nearest to
their own. Last line JSON.
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
from app.core import SAMPLE_RATE
from app.engine.synthesizer import LocalSynthesizer
from training.assemble import NAMES
from training.corpus import Sentence, held_out
from training.options import options
from training.synthesise_corpus import flite
from training.word_error_rate import Wav, spoken

STRANGER = "kal16"  # a voice of flite's that the model has not learnt from
REFERENCE_S = 6.0  # at least
Embeddings = NDArray[np.float32]  # (utterances, 256), each of length 1


def main() -> None:
    given = options("likeness", model="embedded", sentences=12)
    told = asyncio.run(likeness(given.model, given.sentences, given.seed))
    sys.stdout.write(json.dumps({"likeness": given.model, **told}) + "\n")


async def likeness(model: str, num_sentences: int, seed: int = 1) -> dict[str, dict[str, float]]:
    """By who speaks; the sentences are those of `held_out.txt`, other ones for the speakers."""
    known, said = held_out()[-num_sentences:], held_out()[:num_sentences]
    encoder = VoiceEncoder("cpu", verbose=False)
    teachers = (*NAMES, STRANGER)
    speakers = {
        teacher: centre(embedded(encoder, [flite(s.text, teacher)[0] for s in known]))
        for teacher in teachers
    }
    wavs = {(teacher, "teacher"): [flite(s.text, teacher)[0] for s in said] for teacher in teachers}
    with tempfile.TemporaryDirectory() as folder:
        for teacher in teachers:
            soundfile.write(Path(folder) / f"{teacher}.wav", recording(teacher, known), SAMPLE_RATE)
        synthesizer = LocalSynthesizer.open(ServeArgs(model=model, voices=folder))
        for teacher in teachers:
            await synthesizer.enrol(teacher)
            names = {"cloned": teacher} | ({"own": NAMES[teacher]} if teacher in NAMES else {})
            for kind, voice in names.items():
                heard = await spoken(synthesizer, voice, said, {"seed": seed}, at_once=4)
                wavs[teacher, kind] = list(heard.values())
        synthesizer.close()
    return {
        f"{teacher}, {kind}": judged(embedded(encoder, some), teacher, speakers)
        for (teacher, kind), some in wavs.items()
    }


def recording(teacher: str, sentences: Sequence[Sentence]) -> Wav:
    """(samples,) at 24 kHz, as somebody who wants a voice cloned would send it."""
    parts: list[Wav] = []
    for sentence in sentences:
        if sum(map(len, parts)) < REFERENCE_S * SAMPLE_RATE:
            parts.append(flite(sentence.text, teacher)[0])
    return np.concatenate(parts)


def embedded(encoder: VoiceEncoder, wavs: Sequence[Wav]) -> Embeddings:
    """(utterances, 256); each of (samples,) at 24 kHz."""
    return np.stack([encoder.embed_utterance(preprocess_wav(wav, SAMPLE_RATE)) for wav in wavs])


def centre(embeddings: Embeddings) -> NDArray[np.float32]:
    """(256,), of length 1."""
    mean = embeddings.mean(0)
    return mean / np.linalg.norm(mean)


def judged(
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
