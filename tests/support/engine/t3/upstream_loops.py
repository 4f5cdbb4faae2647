"""Upstream's own inference loops, called with our types."""

import torch
from chatterbox.models.t3.t3 import T3

from app.core import SamplingParams
from app.engine.conditionals import T3Conditionals
from tests.support.engine.t3.models import upstream_cond


def upstream_llama(
    t3: T3, voice: T3Conditionals, text: tuple[int, ...], sampling: SamplingParams
) -> list[int]:
    framed = torch.tensor([[t3.hp.start_text_token, *text, t3.hp.stop_text_token]])
    tokens = t3.inference(
        t3_cond=upstream_cond(voice, sampling.exaggeration),
        text_tokens=torch.cat([framed, framed]),
        max_new_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        min_p=sampling.min_p,
        repetition_penalty=sampling.repetition_penalty,
        cfg_weight=sampling.cfg_weight,
    )
    return tokens[0].tolist()


def upstream_turbo(
    t3: T3, voice: T3Conditionals, text: tuple[int, ...], sampling: SamplingParams
) -> list[int]:
    tokens = t3.inference_turbo(
        t3_cond=upstream_cond(voice, sampling.exaggeration),
        text_tokens=torch.tensor([text]),
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        repetition_penalty=sampling.repetition_penalty,
        max_gen_len=sampling.max_tokens - 1,  # upstream generates one token more
    )
    return tokens[0].tolist()
