"""All of S3Gen, as upstream has it. A replica loads some of its components only."""

import torch
from chatterbox.models.s3gen.s3gen import S3Token2Wav

from app.engine.checkpoint.build_enrolment import build_speaker_encoder, build_speech_tokenizer
from app.engine.checkpoint.build_vocoder import build_hift, build_upstream_flow, trim_fade
from app.engine.checkpoint.spec import S3GenSpec


def build_s3gen(spec: S3GenSpec) -> S3Token2Wav:
    with torch.device("meta"):
        s3gen = S3Token2Wav(meanflow=spec.meanflow)
    s3gen.flow, s3gen.mel2wav = build_upstream_flow(spec), build_hift(spec.hift)
    s3gen.tokenizer = build_speech_tokenizer(spec.tokenizer)
    s3gen.speaker_encoder = build_speaker_encoder(spec.speaker_encoder)
    s3gen.register_buffer("trim_fade", trim_fade(), persistent=False)
    return s3gen.eval()
