"""A request as the sequence that the engine works on. Knows nothing about slots or steps."""

from dataclasses import replace

from app.engine.checkpoint.spec import T3Spec
from app.engine.t3.alignment_heads import AlignmentHeads
from app.engine.t3.guards import bounded, least_tokens
from app.engine.t3.model import T3Model
from app.engine.t3.request_check import check_request
from app.engine.t3.sampler import greedy_at_zero
from app.engine.t3.sequence import Sequence, SequenceRequest
from app.engine.t3.spoken_words import SpokenWords
from app.t3_settings import GuardSettings


def sequence_of(
    request: SequenceRequest, model: T3Model, guards: GuardSettings, heads: AlignmentHeads
) -> Sequence:
    """Raises BadRequest that names the field, where the model cannot speak the request."""
    num_text = len(request.text_ids)
    num_prompt = model.num_prompt(request.conditionals, num_text)
    check_request(request, model.spec, num_prompt)
    sampling = greedy_at_zero(bounded(request.sampling, num_text, guards))
    has_words = bool(heads.heads and request.words)
    return Sequence(
        replace(request, sampling=sampling),
        num_rows=most_rows(model.spec) if request.sampling.cfg_weight > 0 else 1,
        num_prompt=num_prompt,
        num_prefix=model.num_prefix(request.conditionals),
        text_start=model.text_start(request.conditionals),
        least_tokens=least_tokens(sampling, guards),
        words=SpokenWords(request.words, heads.offset_tokens) if has_words else None,
    )


def most_rows(spec: T3Spec) -> int:
    """Of one sequence. Only llama has a row for guidance beside the conditional one."""
    return 2 if spec.backbone == "llama" else 1
