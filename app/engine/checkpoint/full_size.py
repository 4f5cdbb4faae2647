"""The specifications of the published models, which are also those of the random full-size ones.

A published model has a name; a family is the set of rules by which its text is read, its tokens are
drawn and its voices are enrolled. Knows nothing about files.
"""

from app.engine.checkpoint.spec import (
    EMBEDDED,
    SAMPLING,
    EncoderSpec,
    EstimatorSpec,
    HiFTSpec,
    ModelSpec,
    RopeScaling,
    S3GenSpec,
    SpeakerEncoderSpec,
    SpeechTokenizerSpec,
    T3Spec,
)

# Source: SUPPORTED_LANGUAGES of upstream's mtl_tts.py
_CODES = "ar,da,de,el,en,es,fi,fr,he,hi,it,ja,ko,ms,nl,no,pl,pt,ru,sv,sw,tr,zh"
LANGUAGES = tuple(_CODES.split(","))
_SILENCE_TOKEN = 4299  # turbo ends every text with three; source: s3gen/const.py
_UNBROKEN_S = 20.0  # turbo loses the text after 25 to 30 s of one segment; upstream's issue 543

_LLAMA_520M = T3Spec(
    backbone="llama",
    num_layers=30,
    dim=1024,
    num_heads=16,
    head_dim=64,
    ffn_dim=4096,
    max_positions=131072,
    rope_theta=500000.0,
    rope_scaling=RopeScaling(
        factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192
    ),
    text_vocab=704,
    speech_vocab=8194,
    learned_positions=True,
    perceiver=True,
    prompt_len=150,
    emotion=True,
)

_GPT2_MEDIUM = T3Spec(
    backbone="gpt2",
    num_layers=24,
    dim=1024,
    num_heads=16,
    head_dim=64,
    ffn_dim=4096,
    max_positions=8196,
    backbone_vocab=50276,
    text_vocab=50276,
    speech_vocab=6563,
    learned_positions=False,
    perceiver=False,
    prompt_len=375,
    emotion=False,
)

# Source: GPT2_small of upstream's master, which the wheel 0.1.7 lacks
_GPT2_SMALL = _GPT2_MEDIUM.model_copy(
    update={"num_layers": 12, "dim": 768, "num_heads": 12, "ffn_dim": 3072}
)

_S3GEN = S3GenSpec(
    meanflow=False,
    euler_steps=10,
    cfg_rate=0.7,
    encoder=EncoderSpec(dim=512, num_heads=8, linear_units=2048, num_blocks=6, num_up_blocks=4),
    estimator=EstimatorSpec(
        channels=(256,), num_blocks=4, num_mid_blocks=12, num_heads=8, head_dim=64
    ),
    hift=HiFTSpec(
        base_channels=512,
        resblock_kernels=(3, 7, 11),
        resblock_dilations=((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        source_kernels=(7, 7, 11),
        source_dilations=((1, 3, 5), (1, 3, 5), (1, 3, 5)),
        f0_channels=512,
    ),
    tokenizer=SpeechTokenizerSpec(dim=1280, num_heads=20, num_layers=6),
    speaker_encoder=SpeakerEncoderSpec(growth_rate=32, bottleneck=4, init_channels=128),
)

ENGLISH = ModelSpec(
    name="english",
    family="english",
    t3=_LLAMA_520M,
    s3gen=_S3GEN,
    sampling=SAMPLING["english"],
)
MULTILINGUAL = ModelSpec(
    name="multilingual",
    family="multilingual",
    t3=_LLAMA_520M.model_copy(update={"text_vocab": 2454}),
    s3gen=_S3GEN,
    sampling=SAMPLING["multilingual"],
    languages=LANGUAGES,
    mutes_last_token=True,
)
MULTILINGUAL_V3 = MULTILINGUAL.model_copy(update={"name": "multilingual-v3"})
TURBO = ModelSpec(
    name="turbo",
    family="turbo",
    t3=_GPT2_MEDIUM,
    s3gen=_S3GEN.model_copy(update={"meanflow": True, "euler_steps": 2, "cfg_rate": 0.0}),
    sampling=SAMPLING["turbo"],
    tail_tokens=(_SILENCE_TOKEN,) * 3,
    max_segment_s=_UNBROKEN_S,
)
NANO = TURBO.model_copy(update={"name": "nano", "t3": _GPT2_SMALL})

FULL_SIZE = {spec.name: spec for spec in (ENGLISH, MULTILINGUAL, MULTILINGUAL_V3, TURBO, NANO)}
PUBLISHED_NAMES = tuple(FULL_SIZE)
RANDOM = {f"random-{name}": name for name in PUBLISHED_NAMES}
PACKAGED = (*EMBEDDED, *RANDOM)  # all their files are part of this program
