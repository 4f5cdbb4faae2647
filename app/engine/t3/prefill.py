"""Which waiting prompts are computed beside one another, so that a burst is heard soonest.

Runs without torch. Knows nothing about slots, pages or the room that a step has.
"""

from collections.abc import Iterator
from collections.abc import Sequence as Seq
from math import ceil, floor, inf, sqrt

from app.engine.t3.sequence import Sequence
from app.engine.t3.step_cost import StepCost


def prompts_to_compute(
    prompts: Seq[Sequence], decoding: Seq[Sequence], *, cost: StepCost, first_tokens: int
) -> Iterator[Sequence]:
    """Those of `prompts`, in their order, that may be part of a step with `decoding`.

    Only `num_together` sequences are on their way to their first sound at the same time. A prompt
    waits only for sequences that are wanted earlier and are part of the step. The caller schedules
    each prompt before it asks for the next one: a prompt whose prefix is being computed by the one
    before must see that. `first_tokens` make a first sound.
    """
    starting = [s for s in decoding if len(s.tokens) < first_tokens]
    num_rows = sum(s.num_rows for s in decoding) - sum(s.num_rows for s in starting)
    most = num_together(prompts, len(starting), num_rows, cost=cost, first_tokens=first_tokens)
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
    prompts: Seq[Sequence],
    num_starting: int,
    num_rows: int,
    *,
    cost: StepCost,
    first_tokens: int,
) -> float:
    """How many sequences go to their first sound side by side. `num_starting` are on their way
    there, `num_rows` rows decode and are past it.

    n sequences have prompts of p seconds each, and then d steps to their first sound, of b seconds
    and r seconds for each sequence. When k of them go at a time, each group of k is heard
    k (p + d r) + d b after the group before. The mean is least at k² = n d b / (p + d r), and k is
    better than k - 1 where k (k - 1) is below that. On a GPU a step costs its weights, and k is n.
    With groups, the vocoder makes the first group's sound while the next group is computed. So the
    groups are made equal, and never larger than k.
    """
    waiting = [s for s in prompts if not s.num_computed]
    if not waiting:
        return inf
    num_prompt_tokens = sum((s.num_prompt - s.prompt_start) * s.num_rows for s in waiting)
    prompt_s = num_prompt_tokens / len(waiting) * cost.token_s
    own_s = first_tokens * sum(s.num_rows for s in waiting) / len(waiting) * cost.row_s
    steps_s = first_tokens * cost.decode_s(num_rows)
    num = len(prompts) + num_starting
    best = floor((1 + sqrt(1 + 4 * num * steps_s / (prompt_s + own_s))) / 2)
    return ceil(num / ceil(num / best))
