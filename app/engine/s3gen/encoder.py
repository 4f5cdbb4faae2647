"""Speech tokens to the flow's mean: our own forward over upstream's UpsampleConformerEncoder.

Two stacks of attention, one per token and one per frame, with an upsampling between them. Unlike
upstream's forward it never grows the table of positions and never reads a value back from the
device, and it can continue from cached rows. Knows nothing about voices or noise.
"""

import math
from collections.abc import Iterable
from itertools import chain

import torch
import torch.nn.functional as F
from chatterbox.models.s3gen.transformer.attention import RelPositionMultiHeadedAttention
from chatterbox.models.s3gen.transformer.encoder_layer import ConformerEncoderLayer
from chatterbox.models.s3gen.transformer.upsample_encoder import UpsampleConformerEncoder
from torch import Tensor, nn

from app.core import FRAMES_PER_TOKEN, LOOK_AHEAD_TOKENS
from app.engine.device.layers import Layers, joined
from app.engine.device.linear import apply_linear
from app.engine.s3gen.layer_cache import LayerCache, causal

_NEAR = 512  # distances that are projected once; longer calls project theirs anew


class Encoder:
    def __init__(
        self, encoder: UpsampleConformerEncoder, max_frames: int, *, in_int8: bool = False
    ) -> None:
        """`in_int8`: the weights of the attentions and feed-forwards, on a CPU."""
        self._encoder = encoder
        self._scale = encoder.output_size() ** 0.5
        self._max_frames = max_frames
        table = relative_positions(encoder.output_size(), max_frames)
        self._positions = table.to(encoder.after_norm.weight.device)
        every = [*encoder.encoders, *encoder.up_encoders]
        near = _nearest(self._positions, _NEAR)
        # Of the nearest distances, by attention: the same in every call.
        self._projected = {
            layer.self_attn: apply_linear(layer.self_attn.linear_pos, near) for layer in every
        }
        self._projections = {
            attention: joined(
                (attention.linear_q, attention.linear_k, attention.linear_v), in_int8=in_int8
            )
            for attention in (layer.self_attn for layer in every)
        }
        self._layers = Layers(chain.from_iterable(map(_layers_of, every)), in_int8=in_int8)

    @property
    def num_tail_values(self) -> tuple[int, int]:
        """Values of CachedRow.tails, for `tokens` and for `frames`."""
        dim = self._encoder.output_size()
        before = self._encoder.pre_lookahead_layer.conv2.kernel_size[0] - 1
        return dim * before, dim * (self._encoder.up_layer.conv.kernel_size[0] - 1)

    @property
    def shapes(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """(attentions, heads, head_dim), for `tokens` and for `frames`."""
        lower, upper = self._encoder.encoders, self._encoder.up_encoders
        attention = lower[0].self_attn
        return (len(lower), attention.h, attention.d_k), (len(upper), attention.h, attention.d_k)

    def tokens(self, embedded: Tensor, present: Tensor, num_new: int, cache: LayerCache) -> Tensor:
        """embedded: (rows, N, dim), the new tokens of each row and as much of its look-ahead as is
        known. present: (rows, N), true where there is a token. Returns (rows, num_new, dim)."""
        # The bias would leak from absent tokens through the look-ahead.
        x = self._encoder.embed.out(embedded) * present[:, :, None] * self._scale
        layer = self._encoder.pre_lookahead_layer
        ahead = F.pad(x, (0, 0, 0, LOOK_AHEAD_TOKENS))[:, : num_new + LOOK_AHEAD_TOKENS].mT
        seen = F.leaky_relu(layer.conv1(ahead))
        x = causal(layer.conv2, seen, cache).mT + x[:, :num_new]
        return self._attend(self._encoder.encoders, x, cache)

    def frames(self, hidden: Tensor, cache: LayerCache) -> Tensor:
        """(rows, N, dim) -> (rows, 2 N, dim)"""
        doubled = hidden.repeat_interleave(FRAMES_PER_TOKEN, 1).mT
        x = causal(self._encoder.up_layer.conv, doubled, cache).mT
        x = self._encoder.up_embed.out(x) * self._scale
        x = self._attend(self._encoder.up_encoders, x, cache)
        normed: Tensor = self._encoder.after_norm(x)
        return normed

    def _attend(
        self, layers: Iterable[ConformerEncoderLayer], x: Tensor, cache: LayerCache
    ) -> Tensor:
        """Upstream's layer as it is configured: norms first, no macaron, no convolution."""
        num_new, num_all = x.shape[1], cache.num_keys + x.shape[1]
        for layer in layers:
            positions = self._project(layer.self_attn, num_all, num_new)
            x = x + self._relative(layer.self_attn, layer.norm_mha(x), positions, cache)
            feed = layer.feed_forward
            widened = feed.activation(self._layers(feed.w_1, layer.norm_ff(x)))
            x = x + self._layers(feed.w_2, widened)
        return x

    def _project(
        self, attention: RelPositionMultiHeadedAttention, num_all: int, num_new: int
    ) -> Tensor:
        """(num_all + num_new - 1, dim): the attention's view of the distances num_all-1 ..
        -(num_new-1)."""
        if num_all <= _NEAR:
            return self._projected[attention][_NEAR - num_all : _NEAR + num_new - 1]
        span = self._positions[self._max_frames - num_all : self._max_frames + num_new - 1]
        return apply_linear(attention.linear_pos, span)

    def _relative(
        self,
        attention: RelPositionMultiHeadedAttention,
        x: Tensor,
        positions: Tensor,
        cache: LayerCache,
    ) -> Tensor:
        """Self-attention with relative positions. positions: of `_project`. Source: upstream's
        forward, arXiv 1901.02860 section 3.3."""
        rows, length, dim = x.shape
        projected = self._projections[attention](x)
        query, key, value = projected.view(rows, length, 3, attention.h, attention.d_k).unbind(2)
        by_content = (query + attention.pos_bias_u).transpose(1, 2)
        by_position = (query + attention.pos_bias_v).transpose(1, 2)
        positions = positions.view(-1, attention.h, attention.d_k)
        scores = skew((by_position @ positions.permute(1, 2, 0)) / math.sqrt(attention.d_k))
        attended = cache.attend(by_content, key.transpose(1, 2), value.transpose(1, 2), scores)
        joint = attended.transpose(1, 2).reshape(rows, length, dim)
        return self._layers(attention.linear_out, joint)


def _layers_of(layer: ConformerEncoderLayer) -> tuple[nn.Linear, ...]:
    """Without the queries, keys, values and positions."""
    feed = layer.feed_forward
    return layer.self_attn.linear_out, feed.w_1, feed.w_2


def _nearest(positions: Tensor, reach: int) -> Tensor:
    """The distances reach-1 .. -(reach-1) of a table of relative positions."""
    middle = len(positions) // 2
    return positions[middle - reach + 1 : middle + reach]


def skew(scores: Tensor) -> Tensor:
    """(rows, heads, N, keys + N - 1) by distance -> (rows, heads, N, keys) by key. The distance of
    query i to key j is at index N - 1 - i + j."""
    *outer, length, span = scores.shape
    num_keys = span - length + 1
    scores = scores.contiguous()
    strides = (*scores.stride()[:-2], span - 1, 1)
    return scores.as_strided((*outer, length, num_keys), strides, length - 1).contiguous()


def relative_positions(dim: int, length: int) -> Tensor:
    """(2 length - 1, dim): sines and cosines of the distances length-1 .. -(length-1).

    Source: the table of upstream's EspnetRelPositionalEncoding (espnet pull request 2816).
    """
    distance = torch.arange(length - 1, -length, -1, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, dim, 2, dtype=torch.float32) * -(math.log(10000.0) / dim))
    return torch.stack([torch.sin(distance * rate), torch.cos(distance * rate)], -1).flatten(1)
