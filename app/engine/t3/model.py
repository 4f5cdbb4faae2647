"""T3: the embeddings before the backbone, and the head after it.

The layout of a sequence. It must equal upstream's at every position (T3.prepare_input_embeds):

    llama:  [speaker][32 x perceiver][emotion][text + text_pos][BOS + pos 0][BOS + pos 0]
            token k is fed back as speech_emb + speech_pos[k + 1]; the second BOS is a quirk
    gpt2:   [speaker][prompt tokens][text][BOS], positions absolute, in the backbone
            token k is fed back as speech_emb

In the unconditional row of a CFG pair the text embedding is zero; the text positions stay. Knows
nothing about batches, keys and values, or sampling.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from app.engine.checkpoint.spec import T3Spec
from app.engine.conditionals import T3Conditionals
from app.engine.t3.backbone import Attention, Backbone, Weights
from app.engine.t3.conditioning import ConditioningEncoder
from app.engine.t3.gpt2 import GPT2
from app.engine.t3.llama import Llama


class T3Model:
    """Weights and pure functions of them; nothing changes after construction."""

    def __init__(
        self,
        spec: T3Spec,
        state: Mapping[str, Tensor],
        device: torch.device,
        dtype: torch.dtype,
        *,
        in_int8: bool = False,
    ) -> None:
        """`state` is the state dict of upstream's T3 with that spec. It may lack the parts that
        upstream's inference never reads (text_head, the backbone's own embedding). `in_int8`: the
        linear layers of the backbone, and the head, on a CPU; the norms and the tables stay in
        `dtype`. The head's share of the error is small: `embedded` agrees with float32 on the
        likeliest token in 98.7 % of 1,105 steps without it, in 98.6 % with it (2026-11-30)."""
        self.spec = spec
        self.device = device
        self.dtype = dtype
        weights = Weights(state, "", device, dtype)
        self.conditioning = ConditioningEncoder(spec, state, device, dtype)
        layers = Weights(state, "", device, dtype, in_int8=in_int8)
        self.backbone: Backbone = _take_backbone(spec, layers.under("tfmr"))
        self._text = weights.take("text_emb.weight")
        self._speech = weights.take("speech_emb.weight")
        self._text_positions = self._speech_positions = None
        if spec.learned_positions:
            self._text_positions = weights.take("text_pos_emb.emb.weight")
            self._speech_positions = weights.take("speech_pos_emb.emb.weight")
        self._head = layers.linear("speech_head")

    def num_prefix(self, conditionals: T3Conditionals) -> int:
        return self.conditioning.num_positions(conditionals)

    def text_start(self, conditionals: T3Conditionals) -> int:
        """The position of the first text id, behind the start id."""
        return self.num_prefix(conditionals) + (1 if self.spec.learned_positions else 0)

    def num_prompt(self, conditionals: T3Conditionals, num_text: int) -> int:
        """Positions before the first generated token. `num_text` counts ids without start and
        stop."""
        num_added = 4 if self.spec.learned_positions else 1  # start, stop and two BOS; or one BOS
        return self.num_prefix(conditionals) + num_text + num_added

    def embed_prompt(self, prefix: Tensor | None, text_ids: Sequence[int], num_rows: int) -> Tensor:
        """(num_rows, num_prompt, dim). Row 0 is conditional, row 1 of a CFG pair unconditional.

        prefix: (P, dim) of `self.conditioning`; None leaves its positions out.
        """
        head = () if prefix is None else (prefix,)
        bos = self._speech[self.spec.start_speech_token][None]
        ids = torch.tensor(self._framed(text_ids), device=self.device)
        text = self._text[ids]
        if self._text_positions is None or self._speech_positions is None:
            return torch.cat((*head, text, bos))[None]
        bos = bos + self._speech_positions[:1]
        positions = self._text_positions[: len(ids)]
        rows = [torch.cat((*head, text + positions, bos, bos))]
        if num_rows == 2:
            rows.append(torch.cat((*head, positions, bos, bos)))
        return torch.stack(rows)

    def embed_speech(self, tokens: Tensor, indices: Tensor) -> Tensor:
        """tokens, indices: (N,) int64; an index is the token's number in its sequence. Returns
        (N, dim)."""
        embedded = self._speech[tokens]
        if self._speech_positions is None:
            return embedded
        return embedded + self._speech_positions[indices + 1]

    def forward(self, hidden: Tensor, positions: Tensor, last: Tensor, attend: Attention) -> Tensor:
        """One call for all rows of a step.

        hidden: (N, dim), every token of the step; positions: (N,); last: (R,) indices of the tokens
        whose next token is sampled. Returns (R, vocab) float32 logits.
        """
        hidden = self.backbone.forward(hidden, positions, attend)
        return self._head(self.backbone.norm(hidden[last])).float()

    def _framed(self, text_ids: Sequence[int]) -> list[int]:
        if not self.spec.learned_positions:
            return list(text_ids)
        return [self.spec.start_text_token, *text_ids, self.spec.stop_text_token]


def max_positions(spec: T3Spec) -> int:
    """The length of the longest sequence, in positions of the backbone."""
    if not spec.learned_positions:
        return spec.max_positions
    prefix = 2 + max(spec.num_perceiver_queries, spec.prompt_len)
    return prefix + spec.max_text_tokens + 2 + 2 + spec.max_speech_tokens


def _take_backbone(spec: T3Spec, weights: Weights) -> Backbone:
    if spec.backbone == "llama":
        return Llama(spec, weights, max_positions(spec))
    return GPT2(spec, weights, max_positions(spec))
