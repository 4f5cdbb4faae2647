"""A voice and an exaggeration, as the first positions of T3's prompt.

Source: upstream's T3CondEnc, Perceiver and T3.prepare_conditioning. Computed in float32 in every
precision of the model; only the tables are in the model's own. Knows nothing about text or
sequences.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from app.engine.checkpoint.spec import T3Spec
from app.engine.conditionals import T3Conditionals
from app.engine.t3.backbone import Weights


class ConditioningEncoder:
    def __init__(
        self,
        spec: T3Spec,
        state: Mapping[str, Tensor],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._device = device
        weights = Weights(state, "", device, dtype)
        encoder = Weights(state, "cond_enc.", device, torch.float32)
        self._speaker = encoder.take("spkr_enc.weight")
        self._speaker_bias = encoder.take("spkr_enc.bias")
        self._speech = weights.take("speech_emb.weight")
        self._speech_positions = None
        if spec.learned_positions:
            self._speech_positions = weights.take("speech_pos_emb.emb.weight")
        self._emotion = encoder.take("emotion_adv_fc.weight") if spec.emotion else None
        self._perceiver = None
        if spec.perceiver:
            self._perceiver = _Perceiver(encoder.under("perceiver"), spec.perceiver_heads)

    def num_positions(self, conditionals: T3Conditionals) -> int:
        prompt = len(conditionals.prompt_tokens)
        resampled = prompt if self._perceiver is None else self._perceiver.num_queries
        return 1 + resampled + (self._emotion is not None)

    def encode(self, conditionals: T3Conditionals, exaggeration: float) -> Tensor:
        """(P, dim) float32."""
        speaker = conditionals.speaker_emb.to(self._device, torch.float32)
        prompt = self._speech[conditionals.prompt_tokens.to(self._device)].float()
        if self._speech_positions is not None:
            prompt = prompt + self._speech_positions[: len(prompt)].float()
        if self._perceiver is not None:
            prompt = self._perceiver.resample(prompt)
        parts = [F.linear(speaker[None], self._speaker, self._speaker_bias), prompt]
        if self._emotion is not None:
            parts.append(exaggeration * self._emotion.t())
        return torch.cat(parts)


class _Perceiver:
    """Queries attend to the prompt, then to one another, with the same weights both times."""

    def __init__(self, weights: Weights, num_heads: int) -> None:
        attention = weights.under("attn")
        self._queries = weights.take("pre_attention_query")[0]
        self.num_queries = len(self._queries)
        self._num_heads = num_heads
        self._norm = attention.take("norm.weight")
        self._norm_bias = attention.take("norm.bias")
        self._q, self._q_bias = _take_linear(attention, "to_q")
        self._k, self._k_bias = _take_linear(attention, "to_k")
        self._v, self._v_bias = _take_linear(attention, "to_v")
        self._out, self._out_bias = _take_linear(attention, "proj_out")

    def resample(self, prompt: Tensor) -> Tensor:
        """(N, dim) to (num_queries, dim)."""
        attended = self._attend(self._queries, prompt)
        return self._attend(attended, attended)

    def _attend(self, queries: Tensor, context: Tensor) -> Tensor:
        shape = self._norm.shape
        normed_queries = F.layer_norm(queries, shape, self._norm, self._norm_bias)
        normed_context = F.layer_norm(context, shape, self._norm, self._norm_bias)
        attended = F.scaled_dot_product_attention(
            self._split(F.linear(normed_queries, self._q, self._q_bias)),
            self._split(F.linear(normed_context, self._k, self._k_bias)),
            self._split(F.linear(normed_context, self._v, self._v_bias)),
        )
        joined = attended.transpose(0, 1).reshape(queries.shape)
        return queries + F.linear(joined, self._out, self._out_bias)

    def _split(self, x: Tensor) -> Tensor:
        """(N, dim) to (heads, N, head_dim)."""
        return x.view(len(x), self._num_heads, -1).transpose(0, 1)


def _take_linear(weights: Weights, name: str) -> tuple[Tensor, Tensor]:
    return weights.take(f"{name}.weight"), weights.take(f"{name}.bias")
