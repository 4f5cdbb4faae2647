"""Scales the weights of random modules, so that their outputs have a wanted mean and deviation."""

from collections.abc import Sequence

import librosa
import numpy as np
import torch
from chatterbox.models.s3gen.xvector import CAMPPlus
from chatterbox.models.s3tokenizer import S3_SR
from chatterbox.models.voice_encoder import VoiceEncoder
from chatterbox.models.voice_encoder.melspec import melspectrogram
from chatterbox.models.voice_encoder.voice_encoder import stride_as_partials
from numpy.typing import NDArray
from torch import Tensor, nn

from app.core import SAMPLE_RATE
from app.engine.checkpoint.components import EnrolmentModels

VOICE_ENCODER_GAIN = 30.0  # power mels are small numbers


def calibrate_enrolment(models: EnrolmentModels, references: list[NDArray[np.float32]]) -> None:
    """Random encoders give nearly the same output for every recording. Scaled to `references`, the
    speaker encoders tell voices apart and the tokenizer uses the whole codebook. `references` are
    at 24 kHz and of one length."""
    wavs = [librosa.resample(wav, orig_sr=SAMPLE_RATE, target_sr=S3_SR) for wav in references]
    calibrate_speakers(models.voice_encoder, models.speaker_encoder, wavs)
    tokenizer = models.s3_tokenizer
    mels = torch.stack(
        [tokenizer.log_mel_spectrogram(wav) for wav in torch.from_numpy(np.stack(wavs))]
    )
    with torch.no_grad():
        hidden, _ = tokenizer.encoder(mels, torch.full((len(mels),), mels.shape[-1]))
    standardise(tokenizer.quantizer._codebook.project_down, hidden.flatten(0, 1), 0.0, 1.0)


@torch.no_grad()
def calibrate_speakers(
    voice_encoder: VoiceEncoder, speaker_encoder: CAMPPlus, wavs: Sequence[NDArray[np.float32]]
) -> None:
    """`wavs` are at 16 kHz and of one length."""
    for norm in speaker_encoder.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.momentum = None  # the mean over all batches, of which there is one
    speaker_encoder.train()
    speaker_encoder.inference(torch.from_numpy(np.stack(wavs)))
    speaker_encoder.eval()
    voice_encoder.lstm.weight_ih_l0.mul_(VOICE_ENCODER_GAIN)
    hp = voice_encoder.hp
    partials = [stride_as_partials(melspectrogram(wav, hp).T, hp) for wav in wavs]
    _, (hidden, _) = voice_encoder.lstm(torch.from_numpy(np.concatenate(partials)))
    standardise(voice_encoder.proj, hidden[-1], 0.0, 1.0)


@torch.no_grad()
def standardise(linear: nn.Linear, inputs: Tensor, mean: float, std: float) -> None:
    """Gives each output this mean and deviation over the rows of `inputs`."""
    outputs = linear(inputs)
    scale = std / outputs.std(0)
    linear.weight.mul_(scale[:, None])
    linear.bias.copy_((linear.bias - outputs.mean(0)) * scale + mean)
