"""Queries, keys and values of a small model, and plain attention over them."""

import torch
import torch.nn.functional as F
from torch import Tensor

NUM_LAYERS, NUM_HEADS, HEAD_DIM = 2, 2, 8
CHUNKINGS = ([40], [1] * 40, [17, 23], [39, 1], [15, 1, 1, 23])  # of one row's tokens


def random_qkv(num_tokens: int, seed: int = 0) -> Tensor:
    """(layers, tokens, 3, heads, head_dim)"""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(NUM_LAYERS, num_tokens, 3, NUM_HEADS, HEAD_DIM, generator=generator)


def plain_attention(qkv: Tensor) -> Tensor:
    """Causal attention over all tokens of one row at once. Returns (layers, tokens, dim)."""
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return out.transpose(1, 2).flatten(2)
