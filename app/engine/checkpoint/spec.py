"""The specification of a model: sizes, ids and defaults, as one frozen value.

A model in our own layout has its specification in `config.json`; the published ones are constants
(full_size.py). Knows nothing about files of weights, modules or devices.
"""

from pathlib import Path
from typing import Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.core import SamplingParams
from app.errors import CheckpointError

Family = Literal["english", "multilingual", "turbo"]

FAMILIES: tuple[Family, ...] = get_args(Family)
EMBEDDED = ("embedded", "embedded-babble", "embedded-turbo")

UPSTREAM_LUFS = -27.0  # source: norm_loudness of upstream's tts_turbo.py

# Source: the defaults of upstream's three `generate`. Turbo has neither CFG nor min_p. The
# multilingual penalty is that of upstream's master (1.2); 0.1.7 has 2.0 because of its analyzer,
# which master has removed for every multilingual model.
SAMPLING: dict[Family, SamplingParams] = {
    "english": SamplingParams(),
    "multilingual": SamplingParams(),
    "turbo": SamplingParams(cfg_weight=0.0, exaggeration=0.0, min_p=0.0, top_p=0.95, top_k=1000),
}


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RopeScaling(_Frozen):
    """Llama 3's scaling of low frequencies."""

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int


class T3Spec(_Frozen):
    """T3: text to speech tokens. The defaults are the same in every known T3."""

    backbone: Literal["llama", "gpt2"]
    num_layers: int
    dim: int
    num_heads: int  # of queries, and of keys and values
    head_dim: int
    ffn_dim: int
    max_positions: int  # rows of gpt2's position table; for llama only a bound
    backbone_vocab: int = 8  # rows of the backbone's own embedding, which inference never reads
    rope_theta: float | None = None  # llama only
    rope_scaling: RopeScaling | None = None
    norm_eps: float = 1e-5
    text_vocab: int
    speech_vocab: int
    start_text_token: int = 255  # added around the text for llama; gpt2 takes the bare text
    stop_text_token: int = 0
    start_speech_token: int = 6561
    stop_speech_token: int = 6562
    max_text_tokens: int = 2048
    max_speech_tokens: int = 4096
    learned_positions: bool  # tables for text and speech positions beside the backbone's
    perceiver: bool  # it resamples the voice prompt to `num_perceiver_queries` rows
    perceiver_heads: int = 4
    num_perceiver_queries: int = 32
    prompt_len: int  # speech tokens of the reference that T3 gets
    emotion: bool
    speaker_dim: int = 256

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.backbone == "gpt2" and self.num_heads * self.head_dim != self.dim:
            raise ValueError("gpt2 needs num_heads * head_dim == dim")
        if (self.backbone == "llama") != (self.rope_theta is not None):
            raise ValueError("rope_theta belongs to llama, and llama needs it")
        if self.rope_scaling is not None and self.backbone != "llama":
            raise ValueError("rope_scaling belongs to llama")
        if self.speech_vocab <= max(self.start_speech_token, self.stop_speech_token):
            raise ValueError("speech_vocab must cover the start and stop tokens")
        return self


class EncoderSpec(_Frozen):
    """The flow's token encoder."""

    dim: int
    num_heads: int
    linear_units: int
    num_blocks: int
    num_up_blocks: int = Field(ge=1, le=4)


class EstimatorSpec(_Frozen):
    """The flow's velocity network. Its input is 320 wide: x, mu, speaker, condition."""

    channels: tuple[int, ...]
    num_blocks: int  # transformer blocks after each resnet
    num_mid_blocks: int
    num_heads: int
    head_dim: int


class HiFTSpec(_Frozen):
    """Mel to waveform. The product of the rates and the inverse transform's hop of 4 is 480 samples
    per frame."""

    base_channels: int
    resblock_kernels: tuple[int, ...]
    resblock_dilations: tuple[tuple[int, ...], ...]
    source_kernels: tuple[int, ...]
    source_dilations: tuple[tuple[int, ...], ...]
    f0_channels: int
    upsample_rates: tuple[int, ...] = (8, 5, 3)
    upsample_kernels: tuple[int, ...] = (16, 11, 7)


class SpeechTokenizerSpec(_Frozen):
    """S3 tokenizer: 16 kHz sound to codec ids. Its rotary table needs heads of size 64."""

    dim: int
    num_heads: int
    num_layers: int

    @model_validator(mode="after")
    def _head_is_64(self) -> Self:
        if self.dim != 64 * self.num_heads:
            raise ValueError("dim must be 64 * num_heads")
        return self


class SpeakerEncoderSpec(_Frozen):
    """CAM++: 16 kHz sound to the vocoder's 192-wide x-vector."""

    growth_rate: int
    bottleneck: int
    init_channels: int


class S3GenSpec(_Frozen):
    """S3Gen: speech tokens to sound, and its two modules that enrolment needs."""

    meanflow: bool
    euler_steps: int
    cfg_rate: float  # 0: one row per call of the estimator (mean-flow is distilled with guidance)
    chunk_masks: bool = False  # trained for them: `vocoder.policy` is chunked by default
    encoder: EncoderSpec
    estimator: EstimatorSpec
    hift: HiFTSpec
    tokenizer: SpeechTokenizerSpec
    speaker_encoder: SpeakerEncoderSpec


class ModelSpec(_Frozen):
    name: str
    family: Family
    t3: T3Spec
    s3gen: S3GenSpec
    voice_encoder_dim: int = 256
    sampling: SamplingParams
    languages: tuple[str, ...] = ()  # empty: the model has one language
    tail_tokens: tuple[int, ...] = ()  # codec ids that T3 adds to the end of every segment
    mutes_last_token: bool = False  # the last token of a segment is heard by the vocoder alone
    max_segment_s: float | None = None  # T3 loses the text in segments that sound longer
    max_tokens_per_char: float | None = None  # a limit for a model that rarely stops by itself
    reference_lufs: float = UPSTREAM_LUFS  # the level of recordings that its encoders know best


def read_spec(path: Path) -> ModelSpec:
    """Parse a `config.json`. Raises CheckpointError that names the file and every wrong key."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    try:
        return ModelSpec.model_validate_json(text)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc']) or 'file'}: {item['msg']}"
            for item in error.errors()
        )
        raise CheckpointError(f"{path} is not a model configuration: {wrong}") from error
