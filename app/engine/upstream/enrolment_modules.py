"""Upstream's modules of enrolment, without the large packages that they import. Import them from
here only.

Their files import librosa, scipy.signal and onnx: six functions are used of the first two, and none
of the last (librosa_functions.py has figures).
"""

from types import SimpleNamespace

from app.engine.upstream import librosa_functions
from app.engine.upstream.lazy_import import with_stand_ins

_NAMES = {
    "librosa.effects": SimpleNamespace(trim=librosa_functions.trim),
    "librosa.filters": SimpleNamespace(mel=librosa_functions.mel_filters),
    "librosa.filters.mel": librosa_functions.mel_filters,
    "librosa.resample": librosa_functions.resample,
    "librosa.stft": librosa_functions.stft,
    "scipy.signal.lfilter": librosa_functions.lfilter,
}

with with_stand_ins("librosa", "onnx", "scipy", names=_NAMES):
    import pyloudnorm
    from chatterbox.models.s3gen.utils.mel import mel_spectrogram
    from chatterbox.models.s3gen.xvector import CAMPPlus
    from chatterbox.models.s3tokenizer import S3_SR, S3Tokenizer
    from chatterbox.models.voice_encoder import VoiceEncoder
    from chatterbox.models.voice_encoder.config import VoiceEncConfig
    from s3tokenizer.model_v2 import (
        AudioEncoderV2,
        FSQVectorQuantization,
        ModelConfig,
        precompute_freqs_cis,
    )

__all__ = [
    "S3_SR",
    "AudioEncoderV2",
    "CAMPPlus",
    "FSQVectorQuantization",
    "ModelConfig",
    "S3Tokenizer",
    "VoiceEncConfig",
    "VoiceEncoder",
    "mel_spectrogram",
    "precompute_freqs_cis",
    "pyloudnorm",
]
