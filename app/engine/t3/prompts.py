"""Embedded prompts, kept while they are computed. Knows nothing about keys and values."""

from typing import NamedTuple

from torch import Tensor

from app.engine.t3.model import T3Model
from app.engine.t3.scheduled_chunk import ScheduledChunk


class _Prompt(NamedTuple):
    start: int  # position of its first token: positions of a kept prefix are not embedded
    hidden: Tensor  # (rows, tokens, dim)


class Prompts:
    def __init__(self, model: T3Model) -> None:
        self._model = model
        self._by_slot: dict[int, _Prompt] = {}

    def embed(self, chunk: ScheduledChunk) -> Tensor:
        """(rows * tokens, dim), row after row. The last chunk of a prompt drops the prompt."""
        prompt = self._by_slot.get(chunk.slot)
        if prompt is None:
            prompt = self._by_slot[chunk.slot] = self._embed_rest(chunk)
        if chunk.samples:
            del self._by_slot[chunk.slot]
        first = chunk.start - prompt.start
        return prompt.hidden[:, first : first + chunk.num_tokens].flatten(0, 1)

    def release(self, slot: int) -> None:
        self._by_slot.pop(slot, None)

    def _embed_rest(self, chunk: ScheduledChunk) -> _Prompt:
        """The prompt without the kept prefix that the chunk begins with."""
        model, sequence = self._model, chunk.sequence
        request, start, prefix = sequence.request, 0, None
        if chunk.begins_with is not None:
            start = chunk.begins_with.num_positions
        else:
            exaggeration = request.sampling.exaggeration
            prefix = model.conditioning.encode(request.conditionals, exaggeration).to(model.dtype)
        return _Prompt(start, model.embed_prompt(prefix, request.text_ids, sequence.num_rows))
