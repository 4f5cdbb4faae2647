"""Voices: what a reference recording becomes before anything is spoken with it.

Conditionals are prepared once, immutable, and belong to no request: exaggeration, sampling and
noise do. Knows nothing about sequences, streams or where a voice is stored.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class T3Conditionals:
    """What T3 needs of a voice. Source: upstream's T3Cond, less the exaggeration."""

    speaker_emb: Tensor  # (256,) float32, VoiceEncoder, L2-normalised
    prompt_tokens: Tensor  # (N,) int64, N <= 150 (375 for turbo): the reference as speech tokens


@dataclass(frozen=True, slots=True)
class S3GenConditionals:
    """What the vocoder needs of a voice. Source: S3Token2Mel.embed_ref."""

    prompt_tokens: Tensor  # (P,) int64, stays integer (upstream casts it in place)
    prompt_mel: Tensor  # (2P, 80) float32, log-mel of the reference at 24 kHz
    speaker_emb: Tensor  # (192,) float32, CAM++ x-vector, not normalised


@dataclass(frozen=True, slots=True)
class Conditionals:
    voice: str
    t3: T3Conditionals
    s3gen: S3GenConditionals
