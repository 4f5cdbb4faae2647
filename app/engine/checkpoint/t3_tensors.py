"""The tensors of T3: the names and shapes of its file, which are those of upstream's module.

So T3 is loaded and checked without the module, whose class imports transformers (5 s of CPU time,
2026-11). A test compares both. Knows nothing about files or torch.
"""

from collections.abc import Iterator, Mapping

from app.engine.checkpoint.spec import T3Spec

Shape = tuple[int, ...]

# Inference never reads these; 51.5 M parameters each in turbo. Upstream drops the second too.
UNREAD_BY_T3 = ("text_head", "tfmr.wte")
_EXTRA_TEXT, _EXTRA_SPEECH = 2, 4  # positions beyond the longest text and speech; source: T3


def unread_by_t3(spec: T3Spec) -> tuple[str, ...]:
    return UNREAD_BY_T3 if spec.backbone == "gpt2" else UNREAD_BY_T3[:1]


def t3_shapes(spec: T3Spec) -> Mapping[str, Shape]:
    """By name, without those that inference never reads."""
    dim = spec.dim
    shapes: dict[str, Shape] = {
        "cond_enc.spkr_enc.weight": (dim, spec.speaker_dim),
        "cond_enc.spkr_enc.bias": (dim,),
        "text_emb.weight": (spec.text_vocab, dim),
        "speech_emb.weight": (spec.speech_vocab, dim),
        "speech_head.weight": (spec.speech_vocab, dim),
    }
    if spec.learned_positions:
        shapes["text_pos_emb.emb.weight"] = (spec.max_text_tokens + _EXTRA_TEXT, dim)
        shapes["speech_pos_emb.emb.weight"] = (spec.max_speech_tokens + _EXTRA_SPEECH, dim)
    if spec.emotion:
        shapes["cond_enc.emotion_adv_fc.weight"] = (dim, 1)
    if spec.perceiver:
        shapes |= _perceiver(spec)
    return shapes | (_llama(spec) if spec.backbone == "llama" else _gpt2(spec))


def _perceiver(spec: T3Spec) -> dict[str, Shape]:
    name, dim = "cond_enc.perceiver", spec.dim
    return {
        f"{name}.pre_attention_query": (1, spec.num_perceiver_queries, dim),
        **dict(_affine(f"{name}.attn.norm", (dim,))),
        **dict(
            pair
            for layer in ("to_q", "to_k", "to_v", "proj_out")
            for pair in _affine(f"{name}.attn.{layer}", (dim, dim))
        ),
    }


def _llama(spec: T3Spec) -> dict[str, Shape]:
    dim, width, ffn_dim = spec.dim, spec.num_heads * spec.head_dim, spec.ffn_dim
    layer: dict[str, Shape] = {
        **{f"self_attn.{name}_proj.weight": (width, dim) for name in "qkv"},
        "self_attn.o_proj.weight": (dim, width),
        "mlp.gate_proj.weight": (ffn_dim, dim),
        "mlp.up_proj.weight": (ffn_dim, dim),
        "mlp.down_proj.weight": (dim, ffn_dim),
        "input_layernorm.weight": (dim,),
        "post_attention_layernorm.weight": (dim,),
    }
    return {
        "tfmr.embed_tokens.weight": (spec.backbone_vocab, dim),
        "tfmr.norm.weight": (dim,),
        **{
            f"tfmr.layers.{index}.{name}": shape
            for index in range(spec.num_layers)
            for name, shape in layer.items()
        },
    }


def _gpt2(spec: T3Spec) -> dict[str, Shape]:
    """Linear weights are (in, out)."""
    dim = spec.dim
    layer = {
        **dict(_affine("ln_1", (dim,))),
        **dict(_affine("attn.c_attn", (dim, 3 * dim))),
        **dict(_affine("attn.c_proj", (dim, dim))),
        **dict(_affine("ln_2", (dim,))),
        **dict(_affine("mlp.c_fc", (dim, spec.ffn_dim))),
        **dict(_affine("mlp.c_proj", (spec.ffn_dim, dim))),
    }
    return {
        "speech_head.bias": (spec.speech_vocab,),
        "tfmr.wpe.weight": (spec.max_positions, dim),
        **dict(_affine("tfmr.ln_f", (dim,))),
        **{
            f"tfmr.h.{index}.{name}": shape
            for index in range(spec.num_layers)
            for name, shape in layer.items()
        },
    }


def _affine(name: str, weight: Shape) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", weight
    yield f"{name}.bias", weight[-1:]
