"""Whether the model can speak a request at all."""

from app.engine.checkpoint.spec import T3Spec
from app.engine.t3.model import max_positions
from app.engine.t3.sequence import SequenceRequest
from app.errors import BadRequest


def check_request(request: SequenceRequest, spec: T3Spec, num_prompt: int) -> None:
    """Raises BadRequest that names the first wrong field."""
    ids, sampling = request.text_ids, request.sampling
    num_voice = len(request.conditionals.prompt_tokens)
    most = min(spec.max_speech_tokens, max_positions(spec) - num_prompt)
    most_text = spec.max_text_tokens
    for holds, param, message in (
        (ids, "input", "the text is empty"),
        (
            len(ids) <= most_text,
            "input",
            f"the text has {len(ids)} tokens; the limit is {most_text}",
        ),
        (all(0 <= i < spec.text_vocab for i in ids), "input", "the text has unknown tokens"),
        (num_voice <= spec.max_speech_tokens, "voice", "the voice's prompt is too long"),
        (1 <= sampling.max_tokens <= most, "max_tokens", f"must be in 1..{most} for this text"),
        (sampling.temperature >= 0, "temperature", "must be at least 0"),
        (sampling.repetition_penalty > 0, "repetition_penalty", "must be above 0"),
        (sampling.cfg_weight >= 0, "cfg_weight", "must be at least 0"),
        (0 <= sampling.min_p <= 1, "min_p", "must be in 0..1"),
        (0 < sampling.top_p <= 1, "top_p", "must be above 0 and at most 1"),
        (sampling.top_k >= 0, "top_k", "must be at least 0"),
    ):
        if not holds:
            raise BadRequest(f"{param}: {message}", param=param)
