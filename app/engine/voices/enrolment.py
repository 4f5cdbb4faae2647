"""Enrolment: a reference recording becomes a voice's Conditionals.

A recording is first made like all others: an offset is removed, and its level is set to the one
that the model's encoders know. Silence at its ends is off already: the decoder cuts it
(app/voices/spoken_part.py). With the Enrolment "upstream" only the level of upstream's turbo is
set.

The rest re-implements upstream's three `prepare_conditionals` and `S3Token2Mel.embed_ref` over
upstream's own modules. It writes to none of them, changes none of its arguments and prints nothing.
Each part has its own window and resampler, as upstream was trained:

    24 kHz (soxr) ─┬─ first 10 s ──────────────── mel ──────────────▶ s3gen.prompt_mel
                   │            └─ 16 kHz (torch) ┬ S3 tokenizer ───▶ s3gen.prompt_tokens
                   │                              └ CAM++ ──────────▶ s3gen.speaker_emb
                   └─ 16 kHz (soxr) ─┬─ first 6 s (turbo 15 s) ─ S3 ▶ t3.prompt_tokens
                                     └─ all of it ─ VoiceEncoder ───▶ t3.speaker_emb

Knows nothing about stores. May be called from any thread.
"""

import math
import threading
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchaudio.transforms import Resample

from app.config import Enrolment
from app.core import FRAMES_PER_TOKEN, SAMPLE_RATE
from app.engine.checkpoint.components import EnrolmentModels
from app.engine.checkpoint.spec import UPSTREAM_LUFS, Family
from app.engine.conditionals import (
    Conditionals,
    S3GenConditionals,
    T3Conditionals,
    problem_of,
    without_odd_frame,
)
from app.engine.upstream.enrolment_modules import S3_SR, mel_spectrogram, pyloudnorm
from app.engine.upstream.librosa_functions import resample
from app.engine.voices.reference_audio import ReferenceAudio, refusal

MIN_TURBO_S = 5.0  # turbo needs more than this; source: ChatterboxTurboTTS
VOCODER_WINDOW_S = 10
T3_WINDOW_S: dict[Family, int] = {"english": 6, "multilingual": 6, "turbo": 15}

_mel_globals = threading.Lock()  # mel_spectrogram fills two module dicts, one after the other


def prepare(
    recording: ReferenceAudio,
    models: EnrolmentModels,
    family: Family,
    voice: str,
    enrolment: Enrolment = "speech",
    *,
    lufs: float = UPSTREAM_LUFS,
) -> Conditionals:
    """The voice of a recording at any rate; "speech" sets its level to `lufs`. Takes seconds at
    full size.

    Raises BadRequest where the recording is too short for the family, or gives no voice.
    """
    source = f"the recording of voice {voice!r}"
    wav_24k = resample(recording.wav, orig_sr=recording.sample_rate, target_sr=SAMPLE_RATE)
    if enrolment == "speech":
        wav_24k = wav_24k - wav_24k.mean()
    if family == "turbo" and len(wav_24k) <= MIN_TURBO_S * SAMPLE_RATE:
        raise refusal(source, f"must be longer than {MIN_TURBO_S:g} s for a turbo model")
    if enrolment == "speech" or family == "turbo":
        wav_24k = _at_loudness(wav_24k, lufs if enrolment == "speech" else UPSTREAM_LUFS)
    wav_16k = resample(wav_24k, orig_sr=SAMPLE_RATE, target_sr=S3_SR)
    conditionals = Conditionals(
        voice,
        _for_t3(wav_16k, models, T3_WINDOW_S[family]),
        _for_s3gen(wav_24k[: VOCODER_WINDOW_S * SAMPLE_RATE], models),
    )
    problem = problem_of(conditionals)
    if problem is not None:
        raise refusal(source, f"gives no voice: {problem}")
    return conditionals


def _for_t3(wav_16k: NDArray[np.float32], models: EnrolmentModels, window_s: int) -> T3Conditionals:
    tokens, _ = models.s3_tokenizer([wav_16k[: window_s * S3_SR]], max_len=models.prompt_len)
    embedding = models.voice_encoder.embeds_from_wavs([wav_16k], sample_rate=S3_SR)
    return T3Conditionals(_own(torch.from_numpy(embedding)[0]), _own(tokens[0]))


def _for_s3gen(wav_24k: NDArray[np.float32], models: EnrolmentModels) -> S3GenConditionals:
    """Source: S3Token2Mel.embed_ref."""
    device = models.s3_tokenizer.device
    reference = torch.from_numpy(wav_24k).float().to(device)[None]
    with torch.no_grad():
        with _mel_globals:
            mel = mel_spectrogram(reference)[0].transpose(0, 1)
        reference_16k = _resampler(device)(reference)
        embedding = models.speaker_encoder.inference(reference_16k)[0]
        tokens = models.s3_tokenizer(reference_16k)[0][0]
    # The tokenizer rounds a last fraction of 40 ms up; the mel rounds it down.
    tokens = tokens[: len(mel) // FRAMES_PER_TOKEN]
    return S3GenConditionals(
        _own(tokens), _own(without_odd_frame(mel, len(tokens))), _own(embedding)
    )


@lru_cache
def _resampler(device: torch.device) -> Resample:
    return Resample(SAMPLE_RATE, S3_SR).to(device)


def _own(tensor: Tensor) -> Tensor:
    """A contiguous copy on the CPU. It shares no memory and has no autograd state."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _at_loudness(wav: NDArray[np.float32], lufs: float) -> NDArray[np.float32]:
    """Stays float32 under numpy 2; upstream's own becomes float64 there, and its tokenizer fails.

    A recording that is too quiet to measure stays unchanged, as in upstream.
    """
    loudness = float(pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(wav))
    gain = 10.0 ** ((lufs - loudness) / 20.0)
    return wav * np.float32(gain) if math.isfinite(gain) and gain > 0.0 else wav
