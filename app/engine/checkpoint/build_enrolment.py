"""The three modules of enrolment, at any size, without weights. At full size their keys and shapes
are exactly upstream's."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import nn

from app.core import NUM_SPEECH_IDS
from app.engine.checkpoint.blueprint import Blueprint, Undrawn
from app.engine.checkpoint.spec import SpeakerEncoderSpec, SpeechTokenizerSpec
from app.engine.upstream.enrolment_modules import (
    S3_SR,
    AudioEncoderV2,
    CAMPPlus,
    FSQVectorQuantization,
    ModelConfig,
    S3Tokenizer,
    VoiceEncConfig,
    VoiceEncoder,
    precompute_freqs_cis,
)
from app.engine.upstream.librosa_functions import mel_filters

_TOKENIZER_FFT = 400
# Upstream's English S3Gen file leaves these out:
_TOKENIZER_BUFFERS = frozenset({"_mel_filters", "window"})


def speech_tokenizer_blueprint(spec: SpeechTokenizerSpec) -> Blueprint:
    return Blueprint(
        partial(build_speech_tokenizer, spec), optional=_TOKENIZER_BUFFERS, derive=_derive
    )


def speaker_encoder_blueprint(spec: SpeakerEncoderSpec) -> Blueprint:
    return Blueprint(partial(build_speaker_encoder, spec))


def voice_encoder_blueprint(dim: int, speaker_dim: int) -> Blueprint:
    return Blueprint(partial(build_voice_encoder, dim, speaker_dim))


def build_voice_encoder(dim: int = 256, speaker_dim: int = 256) -> VoiceEncoder:
    hyperparameters = VoiceEncConfig()
    hyperparameters.ve_hidden_size = dim
    hyperparameters.speaker_embed_size = speaker_dim
    return VoiceEncoder(hyperparameters).eval()


def build_speaker_encoder(spec: SpeakerEncoderSpec) -> CAMPPlus:
    encoder = CAMPPlus(
        growth_rate=spec.growth_rate,
        bn_size=spec.bottleneck,
        init_channels=spec.init_channels,
        memory_efficient=False,
    )
    return encoder.eval()


def build_speech_tokenizer(spec: SpeechTokenizerSpec) -> S3Tokenizer:
    """Upstream's class ignores its config argument, so its parts are replaced."""
    with Undrawn():
        tokenizer = S3Tokenizer("speech_tokenizer_v2_25hz")
    config = ModelConfig(
        n_audio_state=spec.dim, n_audio_head=spec.num_heads, n_audio_layer=spec.num_layers
    )
    tokenizer.config = config
    tokenizer.encoder = AudioEncoderV2(
        config.n_mels, spec.dim, spec.num_heads, spec.num_layers, 2, config.use_sdpa
    )
    tokenizer.quantizer = FSQVectorQuantization(spec.dim, NUM_SPEECH_IDS)
    for name, buffer in _speech_tokenizer_buffers(config).items():
        tokenizer.register_buffer(name, buffer)
    return tokenizer.eval()


def _speech_tokenizer_buffers(config: ModelConfig) -> Mapping[str, torch.Tensor]:
    filters = mel_filters(sr=S3_SR, n_fft=_TOKENIZER_FFT, n_mels=config.n_mels)
    return {"_mel_filters": torch.tensor(filters), "window": torch.hann_window(_TOKENIZER_FFT)}


def _derive(tokenizer: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    assert isinstance(tokenizer, S3Tokenizer)
    for name, buffer in _speech_tokenizer_buffers(tokenizer.config).items():
        if tokenizer.get_buffer(name).is_meta:
            tokenizer.register_buffer(name, buffer.to(device))
    tokenizer.encoder.freqs_cis = precompute_freqs_cis(64, 1024 * 2).to(device)
