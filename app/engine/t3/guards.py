"""Bounds on the length of a sequence, against runaway generation that users report.

    least tokens   one to three words that end before they are spoken (upstream's issues 97, 201)
    most tokens    noise after the text, and a thousand tokens for three words (388, 271, 435)
    loop           one sound without end (424, 543)
    tail           tokens go on after the last word
    still          tokens go on, and the path through the text does not
    fallen         the path falls back: words are said twice
    jumped         the path leaps: words are left out

Pure functions. With all guards off the engine behaves as upstream. Upstream's own guard took two
equal tokens in a row for a loop and cut words short (issue 327), so these bounds lie far outside of
speech. The last four need alignment heads, and are off unless they are configured. Knows nothing
about tensors.
"""

from collections.abc import Sequence
from dataclasses import replace

from app.core import SamplingParams
from app.engine.t3.spoken_words import SpokenWords
from app.t3_settings import GuardSettings


def bounded(sampling: SamplingParams, num_text: int, guards: GuardSettings) -> SamplingParams:
    """Limit `max_tokens` to the length that `num_text` tokens of text can need. A forced length is
    kept."""
    if guards.most_per_text_token is None or sampling.ignore_eos:
        return sampling
    most = guards.most_tokens + round(guards.most_per_text_token * num_text)
    return replace(sampling, max_tokens=min(sampling.max_tokens, most))


def least_tokens(sampling: SamplingParams, guards: GuardSettings) -> int:
    """The number of tokens that are drawn before the stop token may be drawn."""
    return 0 if sampling.ignore_eos else guards.least_tokens


def is_looping(tokens: Sequence[int], sampling: SamplingParams, guards: GuardSettings) -> bool:
    """True where the newest `loop_tokens` repeat one cycle of at most `loop_cycle` tokens. A forced
    length never counts as a loop."""
    num_looped = guards.loop_tokens
    if num_looped is None or len(tokens) < num_looped or sampling.ignore_eos:
        return False
    newest = tokens[-num_looped:]
    return any(
        newest[-1] == newest[-1 - cycle] and newest[cycle:] == newest[:-cycle]
        for cycle in range(1, guards.loop_cycle + 1)
    )


def is_babbling(words: SpokenWords | None, guards: GuardSettings) -> bool:
    """True where the tokens no longer follow the text. None: nothing tells."""
    if words is None:
        return False
    bounds = (
        (words.num_tail, guards.tail_tokens),
        (words.num_still, guards.still_tokens),
        (words.num_fallen, guards.fallen_tokens),
        (words.num_jumped, guards.jumped_tokens),
    )
    return any(most is not None and num >= most for num, most in bounds)
