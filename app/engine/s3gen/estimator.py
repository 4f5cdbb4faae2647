"""The flow's velocity network and its Euler solver, over our modules (velocity_modules.py) or over
those of upstream's ConditionalDecoder, which have the same names.

It differs from upstream's forward in speed alone. Time embeddings are computed once per schedule.
Padding is never multiplied away: every layer but attention looks back only, so no frame sees what
follows its row. Nothing waits for the device. Knows nothing about tokens.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.engine.device.layers import Layers, joined
from app.engine.s3gen.layer_cache import LayerCache, causal
from app.engine.s3gen.velocity_modules import (
    Attention,
    Block,
    ResnetBlock,
    TransformerBlock,
    VelocityNetwork,
)


@dataclass(frozen=True, slots=True)
class _Step:
    time_emb: Tensor  # (1, 4 * channels)
    dt: float


class Estimator:
    """`num_steps` of Euler: upstream's 10 on a cosine schedule with guidance, or mean-flow's 2."""

    def __init__(
        self,
        decoder: VelocityNetwork,
        num_steps: int,
        cfg_rate: float,
        is_cosine: bool,
        *,
        in_int8: bool = False,
    ) -> None:
        """`in_int8`: the weights of the attentions and feed-forwards, on a CPU."""
        self._decoder = decoder
        every = [block for _, blocks, *_ in _stages(decoder) for block in blocks]
        self._projections = {
            attention: joined((attention.to_q, attention.to_k, attention.to_v), in_int8=in_int8)
            for attention in (block.attn1 for block in every)
        }
        self._layers = Layers(chain.from_iterable(map(_layers_of, every)), in_int8=in_int8)
        self.is_guided = not decoder.meanflow and cfg_rate > 0
        self._cfg_rate = cfg_rate
        self._steps = _schedule(decoder, num_steps, is_cosine and not decoder.meanflow)

    @property
    def num_steps(self) -> int:
        return len(self._steps)

    @property
    def num_passes(self) -> int:
        """Rows that a step runs for each row of the call."""
        return 2 if self.is_guided else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(attentions, heads, head_dim) of one pass."""
        first = next(iter(self._projections))
        return len(self._projections), first.heads, first.to_k.out_features // first.heads

    @property
    def num_tail_values(self) -> int:
        """Values of CachedRow.tails, of one pass."""
        convolutions = [self._decoder.final_block.block[0]]
        for resnet, _, *after in _stages(self._decoder):
            convolutions += [resnet.block1.block[0], resnet.block2.block[0], *after]
        return sum(conv.in_channels * (conv.kernel_size[0] - 1) for conv in convolutions)

    def solve(
        self,
        x: Tensor,
        mu: Tensor,
        speaker: Tensor,
        cond: Tensor,
        cache_of: Callable[[int], LayerCache],
    ) -> Tensor:
        """x, mu, cond: (rows, 80, frames), speaker: (rows, 80) -> the mel, (rows, 80, frames).

        `cache_of` is called once per step, with its index. For a guided model its caches have twice
        the rows. Values behind a row's last frame are undefined.
        """
        rows, _, frames = x.shape
        known = torch.cat([mu, speaker[:, :, None].expand(-1, -1, frames), cond], 1)
        if self.is_guided:  # the second half of the rows is without text and voice
            known = torch.cat([known, torch.zeros_like(known)])
        for index, step in enumerate(self._steps):
            rows_in = torch.cat([x, x]) if self.is_guided else x
            x_in, cache = torch.cat([rows_in, known], 1), cache_of(index)
            velocity = self._velocity(x_in, step.time_emb, cache)
            if self.is_guided:
                with_text, without = velocity[:rows], velocity[rows:]
                velocity = (1.0 + self._cfg_rate) * with_text - self._cfg_rate * without
            x = x + step.dt * velocity
        return x

    def _velocity(self, x: Tensor, time_emb: Tensor, cache: LayerCache) -> Tensor:
        decoder = self._decoder
        skips = []
        for resnet, blocks, after in decoder.down_blocks:
            x = self._transform(blocks, _resnet(resnet, x, time_emb, cache), cache)
            skips.append(x)
            x = causal(after, x, cache)
        for resnet, blocks in decoder.mid_blocks:
            x = self._transform(blocks, _resnet(resnet, x, time_emb, cache), cache)
        for resnet, blocks, after in decoder.up_blocks:
            x = _resnet(resnet, torch.cat([x, skips.pop()], 1), time_emb, cache)
            x = causal(after, self._transform(blocks, x, cache), cache)
        velocity: Tensor = decoder.final_proj(_block(decoder.final_block, x, cache))
        return velocity

    def _transform(
        self, blocks: Iterable[TransformerBlock], x: Tensor, cache: LayerCache
    ) -> Tensor:
        x = x.mT.contiguous()
        for block in blocks:
            x = x + self._attend(block.attn1, block.norm1(x), cache)
            widen, _, narrow = block.ff.net  # a dropout between them
            x = x + self._layers(narrow, F.gelu(self._layers(widen.proj, block.norm3(x))))
        return x.mT.contiguous()

    def _attend(self, attention: Attention, x: Tensor, cache: LayerCache) -> Tensor:
        rows, frames, _ = x.shape
        projected = self._projections[attention](x)
        query, key, value = projected.view(rows, frames, 3, attention.heads, -1).unbind(2)
        out = cache.attend(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), None)
        return self._layers(attention.to_out[0], out.transpose(1, 2).reshape(rows, frames, -1))


def _resnet(resnet: ResnetBlock, x: Tensor, time_emb: Tensor, cache: LayerCache) -> Tensor:
    hidden = _block(resnet.block1, x, cache) + resnet.mlp(time_emb)[:, :, None]
    out: Tensor = _block(resnet.block2, hidden, cache) + resnet.res_conv(x)
    return out


def _block(block: Block, x: Tensor, cache: LayerCache) -> Tensor:
    """A convolution, LayerNorm over channels, Mish."""
    conv, _, norm, _, activation = block.block
    out: Tensor = activation(norm(causal(conv, x, cache).mT).mT)
    return out


def _stages(decoder: VelocityNetwork) -> Iterator[Any]:
    """Each a resnet, its transformer blocks and, at both ends of the network, a convolution."""
    return chain(decoder.down_blocks, decoder.mid_blocks, decoder.up_blocks)


def _layers_of(block: TransformerBlock) -> tuple[nn.Linear, ...]:
    """Without the queries, keys and values."""
    widen, _, narrow = block.ff.net
    return block.attn1.to_out[0], widen.proj, narrow


@torch.inference_mode()
def _schedule(decoder: VelocityNetwork, num_steps: int, is_cosine: bool) -> list[_Step]:
    times = torch.linspace(0, 1, num_steps + 1, device=decoder.final_proj.weight.device)
    if is_cosine:
        times = 1 - torch.cos(times * 0.5 * torch.pi)
    embedded = decoder.time_mlp(decoder.time_embeddings(times))
    starts, ends = embedded[:-1], embedded[1:]
    if decoder.meanflow:  # the network is told both ends of its step
        starts = decoder.time_embed_mixer(torch.cat([starts, ends], 1))
    return [
        _Step(time_emb[None], dt)
        for time_emb, dt in zip(starts, torch.diff(times).tolist(), strict=True)
    ]
