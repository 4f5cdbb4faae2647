"""Which waiting prompts are computed beside one another, so that a burst is heard soonest.

Runs without torch. Knows nothing about slots, pages or the room that a step has.
"""

from collections.abc import Iterator
from collections.abc import Sequence as Seq
from math import ceil, inf, sqrt

from app.engine.t3.sequence import Sequence


def prompts_to_compute(
    prompts: Seq[Sequence], decoding: Seq[Sequence], *, free_tokens: int, first_tokens: int
) -> Iterator[Sequence]:
    """Those of `prompts`, in their order, that may be part of a step with `decoding`.

    Only `num_together` sequences are on their way to their first sound at the same time. A prompt
    waits only for sequences that are wanted earlier and are part of the step. The caller schedules
    each prompt before it asks for the next one: a prompt whose prefix is being computed by the one
    before must see that. `first_tokens` make a first sound; for `free_tokens` see Scheduler.
    """
    starting = [s for s in decoding if len(s.tokens) < first_tokens]
    base = free_tokens + sum(s.num_rows for s in decoding) - sum(s.num_rows for s in starting)
    most = num_together(prompts, len(starting), base=base, first_tokens=first_tokens)
    begun_s = [s.wanted_s for s in (*starting, *prompts) if s.num_computed]
    for sequence in prompts:
        if not sequence.can_prefill:
            continue
        if not sequence.num_computed:
            if sum(wanted_s <= sequence.wanted_s for wanted_s in begun_s) >= most:
                continue
            begun_s.append(sequence.wanted_s)
        yield sequence


def num_together(
    prompts: Seq[Sequence], num_starting: int, *, base: int, first_tokens: int
) -> float:
    """How many sequences go to their first sound side by side.

    A step costs `base` (the weights, and the rows that are past their first sound) and 1 for each
    other token. n sequences have p tokens of prompt each and then d steps to their first sound.
    When k of them go at a time, each group of k is heard k (p + d) + d base after the group before.
    The mean is least at k² = n d base / (p + d). On a GPU a step costs its weights, and k is n.
    With groups, the vocoder makes the first group's sound while the next group is computed.
    """
    waiting = [s for s in prompts if not s.num_computed]
    if not waiting:
        return inf
    num_tokens = sum((s.num_prompt - s.prompt_start) * s.num_rows for s in waiting) / len(waiting)
    num_rows = sum(s.num_rows for s in waiting) / len(waiting)
    num = len(prompts) + num_starting
    return ceil(sqrt(num * first_tokens * base / (num_tokens + num_rows * first_tokens)))
