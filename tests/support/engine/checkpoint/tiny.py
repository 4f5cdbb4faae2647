"""Specs of upstream's classes, small enough to build in milliseconds."""

import torch

from app.engine.checkpoint.spec import (
    SAMPLING,
    EncoderSpec,
    EstimatorSpec,
    Family,
    HiFTSpec,
    ModelSpec,
    RopeScaling,
    S3GenSpec,
    SpeakerEncoderSpec,
    SpeechTokenizerSpec,
    T3Spec,
)

TINY_LLAMA = T3Spec(
    backbone="llama",
    num_layers=2,
    dim=64,
    num_heads=2,
    head_dim=32,
    ffn_dim=128,
    max_positions=4096,
    rope_theta=500000.0,
    rope_scaling=RopeScaling(
        factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=1024
    ),
    text_vocab=300,
    speech_vocab=6563,
    max_text_tokens=512,
    max_speech_tokens=1024,
    learned_positions=True,
    perceiver=True,
    perceiver_heads=4,
    prompt_len=150,
    emotion=True,
)

TINY_GPT2 = T3Spec(
    backbone="gpt2",
    num_layers=2,
    dim=64,
    num_heads=2,
    head_dim=32,
    ffn_dim=256,
    max_positions=2048,
    text_vocab=300,
    speech_vocab=6563,
    learned_positions=False,
    perceiver=False,
    prompt_len=375,
    emotion=False,
)

TINY_S3GEN = S3GenSpec(
    meanflow=False,
    euler_steps=10,
    cfg_rate=0.7,
    encoder=EncoderSpec(dim=64, num_heads=2, linear_units=128, num_blocks=2, num_up_blocks=1),
    estimator=EstimatorSpec(
        channels=(64,), num_blocks=1, num_mid_blocks=2, num_heads=2, head_dim=32
    ),
    hift=HiFTSpec(
        base_channels=64,
        resblock_kernels=(3,),
        resblock_dilations=((1, 3),),
        source_kernels=(7, 7, 11),
        source_dilations=((1,), (1,), (1,)),
        f0_channels=32,
    ),
    tokenizer=SpeechTokenizerSpec(dim=64, num_heads=1, num_layers=1),
    speaker_encoder=SpeakerEncoderSpec(growth_rate=4, bottleneck=2, init_channels=16),
)

TINY_MEANFLOW = TINY_S3GEN.model_copy(update={"meanflow": True, "euler_steps": 2, "cfg_rate": 0.0})

TINY = ModelSpec(
    name="tiny",
    family="english",
    t3=TINY_LLAMA,
    s3gen=TINY_S3GEN,
    voice_encoder_dim=32,
    sampling=SAMPLING["english"],
    max_tokens_per_char=1.7,
)

TINY_TURBO = ModelSpec(
    name="tiny-turbo",
    family="turbo",
    t3=TINY_GPT2,
    s3gen=TINY_MEANFLOW,
    voice_encoder_dim=32,
    sampling=SAMPLING["turbo"],
    tail_tokens=(4299, 4299, 4299),
    max_tokens_per_char=1.7,
)

TINY_NANO = TINY_TURBO.model_copy(  # nano: fewer layers, and a width that is no power of two
    update={
        "name": "tiny-nano",
        "t3": TINY_GPT2.model_copy(
            update={"num_layers": 1, "dim": 96, "num_heads": 3, "ffn_dim": 384}
        ),
    }
)

CPU, F32 = torch.device("cpu"), torch.float32
FAMILIES: tuple[Family, ...] = ("english", "multilingual", "turbo")
SPECS: dict[str, ModelSpec] = {  # in the layouts of the published models of these names
    "english": TINY,
    "multilingual": TINY.model_copy(update={"family": "multilingual", "languages": ("en", "zh")}),
    "turbo": TINY_TURBO,
    "nano": TINY_NANO,
}
