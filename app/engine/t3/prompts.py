"""Prompts as the backbone reads them, kept while they are computed. Knows nothing about memory."""

from torch import Tensor

from app.engine.t3.conditioning import ConditioningCache
from app.engine.t3.model import T3Model
from app.engine.t3.scheduled_chunk import ScheduledChunk
from app.engine.t3.sequence import Sequence

_PREFIXES_KEPT = 64  # (voice, exaggeration) pairs; at most 1.5 MB each


class Prompts:
    def __init__(self, model: T3Model) -> None:
        self._model = model
        self._prefixes = ConditioningCache(model.conditioning, model.dtype, _PREFIXES_KEPT)
        self._by_slot: dict[int, Tensor] = {}

    def chunk(self, item: ScheduledChunk) -> Tensor:
        """(rows * tokens, dim), row after row; the last chunk forgets the prompt."""
        prompt = self._by_slot.get(item.slot)
        if prompt is None:
            prompt = self._by_slot[item.slot] = self._embed(item.sequence)
        if item.samples:
            del self._by_slot[item.slot]
        return prompt[:, item.start : item.start + item.num_tokens].flatten(0, 1)

    def release(self, slot: int) -> None:
        self._by_slot.pop(slot, None)

    def _embed(self, sequence: Sequence) -> Tensor:
        request = sequence.request
        exaggeration = request.sampling.exaggeration if self._model.spec.emotion else 0.0
        prefix = self._prefixes.prefix(request.voice, request.conditionals, exaggeration)
        return self._model.embed_prompt(prefix, request.text_ids, sequence.num_rows)
