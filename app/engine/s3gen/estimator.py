"""The flow's velocity network and its Euler solver, over upstream's ConditionalDecoder modules.

Differs from upstream's forward in speed alone: time embeddings are made once per schedule, the
attention mask is left out where no row is padded, and nothing waits for the device. Knows nothing
about tokens.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from chatterbox.models.s3gen.decoder import ConditionalDecoder
from chatterbox.models.s3gen.matcha.transformer import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from torch import Tensor


@dataclass(frozen=True, slots=True)
class _Step:
    time_emb: Tensor  # (1, 4 * channels)
    dt: float


class Estimator:
    """`num_steps` of Euler: upstream's 10 on a cosine schedule with guidance, or mean-flow's 2."""

    def __init__(
        self, decoder: ConditionalDecoder, num_steps: int, cfg_rate: float, is_cosine: bool
    ) -> None:
        self._decoder = decoder
        self._is_guided = not decoder.meanflow
        self._cfg_rate = cfg_rate
        self._steps = _schedule(decoder, num_steps, is_cosine and self._is_guided)

    def solve(
        self, x: Tensor, mu: Tensor, speaker: Tensor, cond: Tensor, mask: Tensor | None
    ) -> Tensor:
        """x, mu, cond: (rows, 80, frames), speaker: (rows, 80) -> the mel, (rows, 80, frames).

        `mask` (rows, 1, frames) is true where a row has frames; None: everywhere. What lies past
        a row's frames is undefined.
        """
        rows, _, frames = x.shape
        known = torch.cat([mu, speaker[:, :, None].expand(-1, -1, frames), cond], 1)
        if self._is_guided:  # the second half of the rows hears neither text nor voice
            known = torch.cat([known, torch.zeros_like(known)])
            mask = None if mask is None else torch.cat([mask, mask])
        for step in self._steps:
            rows_in = torch.cat([x, x]) if self._is_guided else x
            velocity = self._velocity(torch.cat([rows_in, known], 1), mask, step.time_emb)
            if self._is_guided:
                with_text, without = velocity[:rows], velocity[rows:]
                velocity = (1.0 + self._cfg_rate) * with_text - self._cfg_rate * without
            x = x + step.dt * velocity
        return x

    def _velocity(self, x: Tensor, mask: Tensor | None, time_emb: Tensor) -> Tensor:
        decoder = self._decoder
        kept = x.new_ones(1, 1, x.shape[2]) if mask is None else mask.to(x.dtype)
        keys = None if mask is None else mask[:, None]  # (rows, heads, queries, keys)
        skips = []
        for resnet, blocks, after in decoder.down_blocks:
            x = _transform(blocks, resnet(x, kept, time_emb), keys)
            skips.append(x)
            x = after(x * kept)
        for resnet, blocks in decoder.mid_blocks:
            x = _transform(blocks, resnet(x, kept, time_emb), keys)
        for resnet, blocks, after in decoder.up_blocks:
            x = resnet(torch.cat([x, skips.pop()], 1), kept, time_emb)
            x = after(_transform(blocks, x, keys) * kept)
        velocity: Tensor = decoder.final_proj(decoder.final_block(x, kept) * kept)
        return velocity


def _transform(blocks: Iterable[BasicTransformerBlock], x: Tensor, keys: Tensor | None) -> Tensor:
    """Upstream's BasicTransformerBlock as it is configured: no cross-attention, plain LayerNorm."""
    x = x.mT.contiguous()
    for block in blocks:
        x = x + _attend(block.attn1, block.norm1(x), keys)
        x = x + block.ff(block.norm3(x))
    return x.mT.contiguous()


def _attend(attention: Attention, x: Tensor, keys: Tensor | None) -> Tensor:
    rows, frames, _ = x.shape
    query, key, value = (
        project(x).view(rows, frames, attention.heads, -1).transpose(1, 2)
        for project in (attention.to_q, attention.to_k, attention.to_v)
    )
    heard = F.scaled_dot_product_attention(query, key, value, attn_mask=keys)
    out: Tensor = attention.to_out[0](heard.transpose(1, 2).reshape(rows, frames, -1))
    return out


@torch.inference_mode()
def _schedule(decoder: ConditionalDecoder, num_steps: int, is_cosine: bool) -> list[_Step]:
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
