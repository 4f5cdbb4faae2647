"""Upstream's own classes at any size, without weights.

Every builder makes its modules on the ambient device (so `with torch.device("meta")` costs no
memory), in eval mode. At the full sizes the keys and shapes are exactly upstream's. Knows nothing
about files.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from chatterbox.models.s3gen.configs import CFM_PARAMS
from chatterbox.models.s3gen.decoder import ConditionalDecoder
from chatterbox.models.s3gen.f0_predictor import ConvRNNF0Predictor
from chatterbox.models.s3gen.flow import CausalMaskedDiffWithXvec
from chatterbox.models.s3gen.flow_matching import CausalConditionalCFM
from chatterbox.models.s3gen.hifigan import HiFTGenerator
from chatterbox.models.s3gen.s3gen import S3Token2Wav
from chatterbox.models.s3gen.transformer.upsample_encoder import (
    PreLookaheadLayer,
    Upsample1D,
    UpsampleConformerEncoder,
)
from chatterbox.models.s3gen.xvector import CAMPPlus
from chatterbox.models.s3tokenizer import S3_SR, S3Tokenizer
from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS
from chatterbox.models.t3.modules.perceiver import Perceiver
from chatterbox.models.t3.t3 import T3
from chatterbox.models.utils import AttrDict
from chatterbox.models.voice_encoder import VoiceEncoder
from chatterbox.models.voice_encoder.config import VoiceEncConfig
from librosa.filters import mel as mel_filters
from s3tokenizer.model_v2 import AudioEncoderV2, FSQVectorQuantization, ModelConfig

from app.core import NUM_SPEECH_IDS, SAMPLE_RATE
from app.engine.checkpoint.spec import (
    EncoderSpec,
    HiFTSpec,
    S3GenSpec,
    SpeakerEncoderSpec,
    SpeechTokenizerSpec,
    T3Spec,
)

_PRE_LOOKAHEAD_TOKENS = 3
_TOKENIZER_FFT = 400
_FADE_SAMPLES = SAMPLE_RATE // 50  # 20 ms of silence, then 20 ms of fade; source: S3Token2Wav
_backbone_names = threading.Lock()  # upstream looks a backbone up by name, in a global


class Vocoder(NamedTuple):
    """Speech tokens to sound."""

    flow: CausalMaskedDiffWithXvec
    mel2wav: HiFTGenerator


@dataclass(frozen=True, slots=True)
class _T3Hyperparameters:
    """What upstream's T3 reads of its T3Config, at any width."""

    llama_config_name: str
    n_channels: int
    text_tokens_dict_size: int
    speech_tokens_dict_size: int
    start_text_token: int
    stop_text_token: int
    start_speech_token: int
    stop_speech_token: int
    max_text_tokens: int
    max_speech_tokens: int
    input_pos_emb: str | None
    speech_cond_prompt_len: int
    speaker_embed_size: int
    use_perceiver_resampler: bool
    emotion_adv: bool
    encoder_type: str = "voice_encoder"

    @property
    def is_multilingual(self) -> bool:  # upstream's own test: it switches the analyzer on
        return self.text_tokens_dict_size == 2454


def build_t3(spec: T3Spec) -> T3:
    name = f"chatterbox-serve-{threading.get_ident()}"
    hyperparameters = _T3Hyperparameters(
        llama_config_name=name,
        n_channels=spec.dim,
        text_tokens_dict_size=spec.text_vocab,
        speech_tokens_dict_size=spec.speech_vocab,
        start_text_token=spec.start_text_token,
        stop_text_token=spec.stop_text_token,
        start_speech_token=spec.start_speech_token,
        stop_speech_token=spec.stop_speech_token,
        max_text_tokens=spec.max_text_tokens,
        max_speech_tokens=spec.max_speech_tokens,
        input_pos_emb="learned" if spec.learned_positions else None,
        speech_cond_prompt_len=spec.prompt_len,
        speaker_embed_size=spec.speaker_dim,
        use_perceiver_resampler=spec.perceiver,
        emotion_adv=spec.emotion,
    )
    with _backbone_names:
        LLAMA_CONFIGS[name] = _backbone_config(spec)
        try:
            t3 = T3(hyperparameters)
        finally:
            del LLAMA_CONFIGS[name]
    if spec.perceiver:  # upstream's own is fixed at 1024
        t3.cond_enc.perceiver = Perceiver(
            spec.num_perceiver_queries, spec.dim, spec.dim, spec.perceiver_heads
        )
    return t3.eval()


def build_s3gen(spec: S3GenSpec) -> S3Token2Wav:
    """The whole of it, as upstream has it. A replica wants `build_vocoder` instead."""
    with torch.device("meta"):
        s3gen = S3Token2Wav(meanflow=spec.meanflow)
    s3gen.flow, s3gen.mel2wav = build_vocoder(spec)
    s3gen.tokenizer = build_speech_tokenizer(spec.tokenizer)
    s3gen.speaker_encoder = build_speaker_encoder(spec.speaker_encoder)
    s3gen.register_buffer("trim_fade", trim_fade(), persistent=False)
    return s3gen.eval()


def build_vocoder(spec: S3GenSpec) -> Vocoder:
    return Vocoder(build_flow(spec), build_hift(spec.hift))


def build_flow(spec: S3GenSpec) -> CausalMaskedDiffWithXvec:
    estimator = ConditionalDecoder(
        in_channels=320,
        out_channels=80,
        causal=True,
        channels=list(spec.estimator.channels),
        dropout=0.0,
        attention_head_dim=spec.estimator.head_dim,
        n_blocks=spec.estimator.num_blocks,
        num_mid_blocks=spec.estimator.num_mid_blocks,
        num_heads=spec.estimator.num_heads,
        act_fn="gelu",
        meanflow=spec.meanflow,
    )
    decoder = CausalConditionalCFM(
        spk_emb_dim=80,
        cfm_params=AttrDict({**CFM_PARAMS, "inference_cfg_rate": spec.cfg_rate}),
        estimator=estimator,
    )
    flow = CausalMaskedDiffWithXvec(
        input_size=spec.encoder.dim, encoder=_build_encoder(spec.encoder), decoder=decoder
    )
    return flow.eval()


def build_hift(spec: HiFTSpec) -> HiFTGenerator:
    hift = HiFTGenerator(
        base_channels=spec.base_channels,
        sampling_rate=SAMPLE_RATE,
        upsample_rates=list(spec.upsample_rates),
        upsample_kernel_sizes=list(spec.upsample_kernels),
        resblock_kernel_sizes=list(spec.resblock_kernels),
        resblock_dilation_sizes=[list(dilations) for dilations in spec.resblock_dilations],
        source_resblock_kernel_sizes=list(spec.source_kernels),
        source_resblock_dilation_sizes=[list(dilations) for dilations in spec.source_dilations],
        f0_predictor=ConvRNNF0Predictor(cond_channels=spec.f0_channels),
    )
    return hift.eval()


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
    """Upstream's class ignores the config it is given, so its parts are replaced."""
    with torch.device("meta"):
        tokenizer = S3Tokenizer("speech_tokenizer_v2_25hz")
    config = ModelConfig(
        n_audio_state=spec.dim, n_audio_head=spec.num_heads, n_audio_layer=spec.num_layers
    )
    tokenizer.config = config
    tokenizer.encoder = AudioEncoderV2(
        config.n_mels, spec.dim, spec.num_heads, spec.num_layers, 2, config.use_sdpa
    )
    tokenizer.quantizer = FSQVectorQuantization(spec.dim, NUM_SPEECH_IDS)
    for name, buffer in speech_tokenizer_buffers(config).items():
        tokenizer.register_buffer(name, buffer)
    return tokenizer.eval()


def speech_tokenizer_buffers(config: ModelConfig) -> Mapping[str, torch.Tensor]:
    filters = mel_filters(sr=S3_SR, n_fft=_TOKENIZER_FFT, n_mels=config.n_mels)
    return {"_mel_filters": torch.tensor(filters), "window": torch.hann_window(_TOKENIZER_FFT)}


def trim_fade() -> torch.Tensor:
    """(960,) gain of an utterance's first samples: 20 ms of silence, 20 ms of cosine fade."""
    fade = torch.zeros(2 * _FADE_SAMPLES)
    fade[_FADE_SAMPLES:] = (torch.cos(torch.linspace(torch.pi, 0, _FADE_SAMPLES)) + 1) / 2
    return fade


def _backbone_config(spec: T3Spec) -> Mapping[str, object]:
    if spec.backbone == "gpt2":
        return {
            "model_type": "gpt2",
            "activation_function": "gelu_new",
            "n_embd": spec.dim,
            "n_head": spec.num_heads,
            "n_inner": spec.ffn_dim,
            "n_layer": spec.num_layers,
            "n_positions": spec.max_positions,
            "layer_norm_epsilon": spec.norm_eps,
            "vocab_size": spec.backbone_vocab,
            "bos_token_id": None,
            "eos_token_id": None,
        }
    scaling = spec.rope_scaling
    return {
        "model_type": "llama",
        "attn_implementation": "sdpa",
        "hidden_act": "silu",
        "hidden_size": spec.dim,
        "intermediate_size": spec.ffn_dim,
        "num_hidden_layers": spec.num_layers,
        "num_attention_heads": spec.num_heads,
        "num_key_value_heads": spec.num_heads,
        "head_dim": spec.head_dim,
        "max_position_embeddings": spec.max_positions,
        "rms_norm_eps": spec.norm_eps,
        "rope_theta": spec.rope_theta,
        "rope_scaling": scaling and {"rope_type": "llama3", **scaling.model_dump()},
        "tie_word_embeddings": False,
        "vocab_size": spec.backbone_vocab,
    }


def _build_encoder(spec: EncoderSpec) -> UpsampleConformerEncoder:
    encoder = UpsampleConformerEncoder(
        input_size=spec.dim,  # the second embedding takes the first half's output
        output_size=spec.dim,
        attention_heads=spec.num_heads,
        linear_units=spec.linear_units,
        num_blocks=spec.num_blocks,
        dropout_rate=0.1,
        positional_dropout_rate=0.1,
        attention_dropout_rate=0.1,
        normalize_before=True,
        input_layer="linear",
        pos_enc_layer_type="rel_pos_espnet",
        selfattention_layer_type="rel_selfattn",
        use_cnn_module=False,
        macaron_style=False,
    )
    # Fixed at 512 channels and 4 blocks inside upstream's constructor:
    encoder.pre_lookahead_layer = PreLookaheadLayer(spec.dim, _PRE_LOOKAHEAD_TOKENS)
    encoder.up_layer = Upsample1D(spec.dim, spec.dim, stride=2)
    encoder.up_encoders = encoder.up_encoders[: spec.num_up_blocks]
    return encoder
