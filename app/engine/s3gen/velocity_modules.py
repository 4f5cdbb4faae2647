"""The modules of the flow's velocity network, with the names and shapes of upstream's.

Upstream's own (CausalConditionalCFM over ConditionalDecoder) import diffusers and conformer, 0.7 s
of CPU time (2026-11). These only hold the weights; estimator.py runs them, or upstream's. One level
of resolution, as in every known model. Knows nothing about files.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.core import NUM_MELS
from app.engine.checkpoint.spec import EstimatorSpec

_IN_CHANNELS = 4 * NUM_MELS  # x, mu, speaker, condition
_KERNEL = 3
Parts = Any  # modules of several classes in one list, because upstream's names are numbers
_WIDENING = 4  # of the time embedding, and of a feed-forward


class VelocityDecoder(nn.Module):
    """The network and its schedule. Source: CausalConditionalCFM."""

    t_scheduler = "cosine"

    def __init__(self, spec: EstimatorSpec, *, meanflow: bool, cfg_rate: float) -> None:
        super().__init__()
        self.inference_cfg_rate = cfg_rate
        self.estimator = VelocityNetwork(spec, meanflow=meanflow)


class VelocityNetwork(nn.Module):
    """Source: ConditionalDecoder."""

    def __init__(self, spec: EstimatorSpec, *, meanflow: bool) -> None:
        super().__init__()
        (dim,) = spec.channels
        time_dim = _WIDENING * dim
        self.meanflow = meanflow
        self.time_mlp = TimeEmbedding(_IN_CHANNELS, time_dim)
        self.down_blocks: Parts = nn.ModuleList(
            [_stage(_IN_CHANNELS, spec, time_dim, has_after=True)]
        )
        self.mid_blocks: Parts = nn.ModuleList(
            _stage(dim, spec, time_dim, has_after=False) for _ in range(spec.num_mid_blocks)
        )
        self.up_blocks: Parts = nn.ModuleList([_stage(2 * dim, spec, time_dim, has_after=True)])
        self.final_block = Block(dim, dim)
        self.final_proj = nn.Conv1d(dim, NUM_MELS, 1)
        self.time_embed_mixer: Any = (
            nn.Linear(2 * time_dim, time_dim, bias=False) if meanflow else None
        )

    def time_embeddings(self, times: Tensor) -> Tensor:
        """(N,) -> (N, 320). Source: SinusoidalPosEmb."""
        half = _IN_CHANNELS // 2
        exponents = torch.arange(half, device=times.device).float() * -(
            math.log(10000) / (half - 1)
        )
        angles = 1000 * times[:, None] * torch.exp(exponents)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class TimeEmbedding(nn.Module):
    """Source: TimestepEmbedding."""

    def __init__(self, dim: int, time_dim: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(dim, time_dim)
        self.linear_2 = nn.Linear(time_dim, time_dim)

    def forward(self, embedded: Tensor) -> Tensor:
        widened: Tensor = self.linear_2(F.silu(self.linear_1(embedded)))
        return widened


class Block(nn.Module):
    """Source: CausalBlock1D."""

    def __init__(self, dim: int, dim_out: int) -> None:
        super().__init__()
        # Upstream transposes before and after the norm:
        self.block: Parts = nn.Sequential(
            nn.Conv1d(dim, dim_out, _KERNEL),
            nn.Identity(),
            nn.LayerNorm(dim_out),
            nn.Identity(),
            nn.Mish(),
        )


class ResnetBlock(nn.Module):
    """Source: CausalResnetBlock1D."""

    def __init__(self, dim: int, dim_out: int, time_dim: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Mish(), nn.Linear(time_dim, dim_out))
        self.block1 = Block(dim, dim_out)
        self.block2 = Block(dim_out, dim_out)
        self.res_conv = nn.Conv1d(dim, dim_out, 1)


class TransformerBlock(nn.Module):
    """Source: BasicTransformerBlock as it is configured: no cross-attention, plain LayerNorm."""

    def __init__(self, dim: int, spec: EstimatorSpec) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn1 = Attention(dim, spec.num_heads, spec.head_dim)
        self.norm3 = nn.LayerNorm(dim)
        self.ff = FeedForward(dim)


class Attention(nn.Module):
    """Source: diffusers' Attention."""

    def __init__(self, dim: int, num_heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = num_heads
        inner = num_heads * head_dim
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim, inner, bias=False) for _ in range(3))
        self.to_out: Parts = nn.ModuleList([nn.Linear(inner, dim)])


class FeedForward(nn.Module):
    """Source: FeedForward. The names of its layers are numbers; a dropout is between them."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        widen, narrow = Widening(dim), nn.Linear(_WIDENING * dim, dim)
        self.net: Parts = nn.ModuleList([widen, nn.Identity(), narrow])


class Widening(nn.Module):
    """Source: diffusers' GELU."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim, _WIDENING * dim)


def _stage(dim_in: int, spec: EstimatorSpec, time_dim: int, *, has_after: bool) -> nn.ModuleList:
    """A resnet, its transformer blocks and, at both ends of the network, a convolution."""
    (dim,) = spec.channels
    blocks = nn.ModuleList(TransformerBlock(dim, spec) for _ in range(spec.num_blocks))
    after = [nn.Conv1d(dim, dim, _KERNEL)] if has_after else []
    return nn.ModuleList([ResnetBlock(dim_in, dim, time_dim), blocks, *after])
