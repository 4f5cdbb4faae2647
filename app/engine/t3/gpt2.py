"""GPT-2 with upstream's weights: LayerNorm, learned absolute positions, tanh GELU, biases.

Equal to transformers' GPT2Model in exact arithmetic.
Knows nothing about speech.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from app.engine.checkpoint.spec import T3Spec
from app.engine.device.layers import Linear
from app.engine.t3.backbone import Attention, Weights


class _Affine(NamedTuple):
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, slots=True)
class _Layer:
    attention_norm: _Affine
    qkv: Linear
    out: Linear
    mlp_norm: _Affine
    up: Linear
    down: Linear


class GPT2:
    def __init__(self, spec: T3Spec, weights: Weights, num_positions: int) -> None:
        self.num_layers = spec.num_layers
        self.num_heads = spec.num_heads
        self.head_dim = spec.head_dim
        self._eps = spec.norm_eps
        self._layers = [_take_layer(weights.under(f"h.{i}")) for i in range(spec.num_layers)]
        self._norm = _take_norm(weights, "ln_f")
        self._positions = weights.take("wpe.weight")[:num_positions]

    def forward(self, hidden: Tensor, positions: Tensor, attend: Attention) -> Tensor:
        hidden = hidden + self._positions[positions]
        for index, layer in enumerate(self._layers):
            normed = self._layer_norm(hidden, layer.attention_norm)
            qkv = layer.qkv(normed).view(-1, 3, self.num_heads, self.head_dim)
            hidden = hidden + layer.out(attend(index, qkv))
            normed = self._layer_norm(hidden, layer.mlp_norm)
            widened = F.gelu(layer.up(normed), approximate="tanh")
            hidden = hidden + layer.down(widened)
        return hidden

    def norm(self, hidden: Tensor) -> Tensor:
        return self._layer_norm(hidden, self._norm)

    def _layer_norm(self, hidden: Tensor, affine: _Affine) -> Tensor:
        return F.layer_norm(hidden, affine.bias.shape, *affine, self._eps)


def _take_layer(weights: Weights) -> _Layer:
    attention, mlp = weights.under("attn"), weights.under("mlp")
    return _Layer(
        attention_norm=_take_norm(weights, "ln_1"),
        qkv=attention.linear("c_attn", is_transposed=True),
        out=attention.linear("c_proj", is_transposed=True),
        mlp_norm=_take_norm(weights, "ln_2"),
        up=mlp.linear("c_fc", is_transposed=True),
        down=mlp.linear("c_proj", is_transposed=True),
    )


def _take_norm(weights: Weights, name: str) -> _Affine:
    return _Affine(weights.take(f"{name}.weight"), weights.take(f"{name}.bias"))
