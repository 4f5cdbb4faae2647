"""Llama with upstream's weights: RMSNorm, rotary positions, SwiGLU, no biases.

The weights of q, k and v are fused, and so are those of gate and up. Equal to transformers'
LlamaModel in exact arithmetic. Knows nothing about speech.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from app.engine.checkpoint.spec import RopeScaling, T3Spec
from app.engine.device.layers import Linear
from app.engine.t3.backbone import Attention, Weights


@dataclass(frozen=True, slots=True)
class _Layer:
    attention_norm: Tensor
    qkv: Linear
    out: Linear
    mlp_norm: Tensor
    gate_up: Linear
    down: Linear


class Llama:
    def __init__(self, spec: T3Spec, weights: Weights, num_positions: int) -> None:
        self.num_layers = spec.num_layers
        self.num_heads = spec.num_heads
        self.head_dim = spec.head_dim
        self._eps = spec.norm_eps
        self._layers = [_take_layer(weights.under(f"layers.{i}")) for i in range(spec.num_layers)]
        self._norm = weights.take("norm.weight")
        angles = torch.outer(torch.arange(num_positions).float(), rotary_frequencies(spec))
        # One value per element of a head, float32 in every precision of the model.
        self._cos = torch.cat((angles.cos(), angles.cos()), dim=-1).to(self._norm.device)
        self._sin = torch.cat((-angles.sin(), angles.sin()), dim=-1).to(self._norm.device)

    def forward(self, hidden: Tensor, positions: Tensor, attend: Attention) -> Tensor:
        cos = self._cos[positions][:, None, None]
        sin = self._sin[positions][:, None, None]
        for index, layer in enumerate(self._layers):
            normed = self._rms_norm(hidden, layer.attention_norm)
            qkv = layer.qkv(normed).view(-1, 3, self.num_heads, self.head_dim)
            _rotate(qkv[:, :2], cos, sin)
            hidden = hidden + layer.out(attend(index, qkv))
            normed = self._rms_norm(hidden, layer.mlp_norm)
            gate, up = layer.gate_up(normed).chunk(2, dim=-1)
            hidden = hidden + layer.down(F.silu(gate) * up)
        return hidden

    def norm(self, hidden: Tensor) -> Tensor:
        return self._rms_norm(hidden, self._norm)

    def _rms_norm(self, hidden: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(hidden, weight.shape, weight, self._eps)


def _take_layer(weights: Weights) -> _Layer:
    attention, mlp = weights.under("self_attn"), weights.under("mlp")
    return _Layer(
        attention_norm=weights.take("input_layernorm.weight"),
        qkv=attention.linear("q_proj", "k_proj", "v_proj"),
        out=attention.linear("o_proj"),
        mlp_norm=weights.take("post_attention_layernorm.weight"),
        gate_up=mlp.linear("gate_proj", "up_proj"),
        down=mlp.linear("down_proj"),
    )


def _rotate(qk: Tensor, cos: Tensor, sin: Tensor) -> None:
    """Rotary positions, in place. qk: (N, 2, heads, head_dim); cos, sin: (N, 1, 1, head_dim), the
    first half of sin negated.

    The pairs are (i, i + head_dim / 2), as in transformers; the paper has (2i, 2i + 1). So the
    partner of each element is half a head away.
    """
    partners = qk.roll(qk.shape[-1] // 2, dims=-1)
    qk.copy_(torch.addcmul(qk * cos, partners, sin))


def rotary_frequencies(spec: T3Spec) -> Tensor:
    """(head_dim / 2,) float32 radians per position."""
    if spec.rope_theta is None:
        raise ValueError("a llama needs rope_theta")
    exponents = torch.arange(0, spec.head_dim, 2).float() / spec.head_dim
    frequencies = 1.0 / spec.rope_theta**exponents
    return frequencies if spec.rope_scaling is None else _stretch(frequencies, spec.rope_scaling)


def _stretch(frequencies: Tensor, scaling: RopeScaling) -> Tensor:
    """Llama 3's scaling: waves longer than the original context are slowed by `factor`, short waves
    are kept, waves in between are blended. Source: transformers' _compute_llama3_parameters."""
    original = scaling.original_max_position_embeddings
    turns = original * frequencies / (2 * math.pi)  # within the original context
    span = scaling.high_freq_factor - scaling.low_freq_factor
    keep = ((turns - scaling.low_freq_factor) / span).clamp(0, 1)
    return (1 - keep) * frequencies / scaling.factor + keep * frequencies
