"""Stage 0: Debian's `flite` reads the corpus aloud. The features for the later stages go to flat
files.

    python -m training.synthesise_corpus --hours 20

Resumable: finished parts of the corpus are not read again. The files have, per 20 ms frame of
24 kHz audio: 480 samples (int16), a log-mel (80, float16), a phone, a pitch (Hz, 0 if unvoiced).
Utterances are padded to whole tokens of 40 ms.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import librosa
import numpy as np
import soundfile
import soxr
import torch
from chatterbox.models.s3gen.utils.mel import mel_spectrogram
from numpy.typing import NDArray

from app.core import SAMPLE_RATE, SAMPLES_PER_FRAME, SAMPLES_PER_TOKEN
from training.corpus import Sentence, corpus
from training.options import Options, parse_options

SENTENCES_PER_PART = 500
SENTENCES_PER_HOUR = 1500  # of 2.4 s
NOISE = 2e-4  # of full scale, under all audio: digital silence has an extreme log-mel
PITCH_HZ = (60.0, 400.0)
_PHONES = (
    "pau aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh "
    "uw v w y z zh"
)
_UNVOICED = "pau ch f hh k p s sh t th"
PHONES = tuple(_PHONES.split())
UNVOICED = frozenset(_UNVOICED.split())
FILES = {"audio": "i2", "mel": "f2", "phone": "u1", "pitch": "f2"}


@dataclass(frozen=True, slots=True)
class Utterance:
    text: str
    kind: str
    voice: str
    num_frames: int  # even


# (audio at 24 kHz, phone of each frame) -> the array to keep in each file
Keep = Callable[[NDArray[np.float32], NDArray[np.uint8]], Mapping[str, NDArray[np.generic]]]


def main() -> None:
    options = parse_options("synthesise_corpus", hours=20.0, voices="rms,slt,awb")
    (options.folder / "data").mkdir(parents=True, exist_ok=True)
    read_missing(options, options.voices.split(","), FILES, features)


def read_missing(options: Options, voices: Sequence[str], names: Iterable[str], keep: Keep) -> None:
    """Reads every part that lacks a file, in processes of its own. A part always has the same
    sentences, whatever the hours."""
    num_parts = -(-round(options.hours * SENTENCES_PER_HOUR) // SENTENCES_PER_PART)
    sentences = corpus(options.seed, num_parts * SENTENCES_PER_PART)
    parts = [
        (part, sentences[at : at + SENTENCES_PER_PART])
        for part, at in enumerate(range(0, len(sentences), SENTENCES_PER_PART))
        if not is_read(part_file(options.folder, part), names)
    ]
    with ProcessPoolExecutor(options.processes) as pool:
        calls = [
            pool.submit(
                read_part,
                part_file(options.folder, part),
                some,
                voices,
                keep,
                seed=(options.seed, part),
            )
            for part, some in parts
        ]
        for done, call in enumerate(as_completed(calls), start=1):
            sys.stdout.write(f"part {done} of {len(calls)}: {call.result() / 60:.1f} minutes\n")
            sys.stdout.flush()


def part_file(folder: Path, part: int) -> Path:
    return folder / "data" / f"{part:04}.jsonl"


def is_read(part: Path, names: Iterable[str]) -> bool:
    """The .jsonl file of a part is written last."""
    return part.exists() and all(part.with_suffix(f".{name}").exists() for name in names)


def read_part(
    done: Path,
    sentences: Sequence[Sentence],
    voices: Sequence[str],
    keep: Keep,
    *,
    seed: tuple[int, int],
) -> float:
    """Writes the files of one part. Returns its seconds of speech.

    The seed determines the voice and the noise of each sentence: files that are written later
    describe the same audio.
    """
    torch.set_num_threads(1)
    random = np.random.default_rng(seed)
    voices = sorted(voices)
    read: list[Utterance] = []
    kept: list[Mapping[str, NDArray[np.generic]]] = []
    for sentence in sentences:
        voice = voices[random.integers(len(voices))]
        audio, phone = read_aloud(sentence.text, voice, random)
        read.append(Utterance(sentence.text, sentence.kind, voice, len(phone)))
        kept.append(keep(audio, phone))
    for name in kept[0]:
        np.concatenate([tables[name] for tables in kept]).tofile(done.with_suffix(f".{name}"))
    lines = "".join(json.dumps(asdict(utterance)) + "\n" for utterance in read)
    done.with_suffix(".partial").write_text(lines)
    done.with_suffix(".partial").rename(done)  # last: a part with this file is complete
    return sum(utterance.num_frames for utterance in read) * SAMPLES_PER_FRAME / SAMPLE_RATE


def read_aloud(
    text: str, voice: str, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Audio at 24 kHz, (480 * frames,), and the phone of each frame, (frames,): whole tokens."""
    wav, phones = flite(text, voice)
    num_frames = 2 * -(-len(wav) // SAMPLES_PER_TOKEN)
    audio = random.normal(0.0, NOISE, num_frames * SAMPLES_PER_FRAME).astype(np.float32)
    audio[: len(wav)] += wav
    phone = np.full(num_frames, PHONES.index("pau"), np.uint8)
    begin_s = 0.0
    for name, end_s in phones:
        first, last = (round(at * SAMPLE_RATE / SAMPLES_PER_FRAME) for at in (begin_s, end_s))
        phone[first:last] = PHONES.index(name)
        begin_s = end_s
    return audio, phone


def features(
    audio: NDArray[np.float32], phone: NDArray[np.uint8]
) -> dict[str, NDArray[np.generic]]:
    """`FILES` of one utterance: audio (480 * frames,), mel (frames, 80), phone and pitch
    (frames,)."""
    with torch.no_grad():
        mel = mel_spectrogram(torch.from_numpy(audio)[None])[0].T.numpy()
    pitch = librosa.yin(
        audio, fmin=PITCH_HZ[0], fmax=PITCH_HZ[1], sr=SAMPLE_RATE, hop_length=SAMPLES_PER_FRAME
    )
    voiced = ~np.isin(phone, [PHONES.index(name) for name in UNVOICED])
    pitch = np.where(voiced, pitch[: len(phone)], 0.0)
    clipped = np.clip(audio * 32767.0, -32768, 32767).astype(np.int16)
    return {
        "audio": clipped,
        "mel": mel.astype(np.float16),
        "phone": phone,
        "pitch": pitch.astype(np.float16),
    }


def flite(text: str, voice: str) -> tuple[NDArray[np.float32], list[tuple[str, float]]]:
    """Audio at 24 kHz, (samples,), and each phone with its end in seconds."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        command = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", file.name]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        wav, rate = soundfile.read(file.name, dtype="float32")
    phones = [(name, float(end)) for name, _, end in (p.partition(":") for p in output.split())]
    return soxr.resample(wav, rate, SAMPLE_RATE).astype(np.float32), phones


if __name__ == "__main__":
    main()
