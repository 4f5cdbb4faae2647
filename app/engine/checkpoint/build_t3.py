"""Upstream's T3 at any size, without weights: for its own loops, and for training. A T3 replica
loads tensors alone (t3_tensors.py)."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from app.engine.checkpoint.blueprint import Blueprint
from app.engine.checkpoint.spec import T3Spec
from app.engine.checkpoint.t3_tensors import unread_by_t3
from app.engine.upstream.lazy_import import without_modules

with without_modules("scipy", "sklearn"):  # 2 s; what transformers needs them for is not used
    from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS
    from chatterbox.models.t3.modules.perceiver import Perceiver
    from chatterbox.models.t3.t3 import T3
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

_backbone_names = threading.Lock()  # upstream looks up a backbone by name in a global


def t3_blueprint(spec: T3Spec) -> Blueprint:
    return Blueprint(partial(build_t3, spec), unread=unread_by_t3(spec), derive=_derive)


@dataclass(frozen=True, slots=True)
class _T3Hyperparameters:
    """The fields of T3Config that upstream's T3 reads, at any width."""

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
    def is_multilingual(self) -> bool:  # upstream's own test; True switches the analyzer on
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
    if spec.perceiver:  # upstream's own has a fixed width of 1024
        t3.cond_enc.perceiver = Perceiver(
            spec.num_perceiver_queries, spec.dim, spec.dim, spec.perceiver_heads
        )
    return t3.eval()


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


def _derive(t3: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    for part in t3.modules():
        if isinstance(part, LlamaRotaryEmbedding):
            for name, buffer in LlamaRotaryEmbedding(part.config).named_buffers():
                part.register_buffer(name, buffer.to(device), persistent=False)
